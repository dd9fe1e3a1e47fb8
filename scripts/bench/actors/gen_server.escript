#!/usr/bin/env escript
%%! +sbwt none
%% -*- erlang -*-
%% Erlang's gen_server under the same load as ours: `escript gen_server.escript cast|call|start|heap ROUNDS`
%% prints a JSON array with one figure per round, after one round to warm up.
-mode(compile).
-behaviour(gen_server).
-export([main/1, init/1, handle_call/3, handle_cast/2]).

-define(BURST, 1000).
-define(ROUND_US, 250000).
-define(IDLE, 100000).

main([What, Rounds]) ->
    Round = round_of(What),
    _WarmUp = Round(),
    Figures = [Round() || _ <- lists:seq(1, list_to_integer(Rounds))],
    Texts = [float_to_list(float(Figure), [{decimals, 4}]) || Figure <- Figures],
    io:format("[~s]~n", [lists:join(",", Texts)]).

init(Count) -> {ok, Count}.

handle_call({add, N}, _From, Count) -> {reply, Count + N, Count + N}.

handle_cast({add, N}, Count) -> {noreply, Count + N}.

%% Casts per second: bursts of 1,000, each closed by a call.
round_of("cast") ->
    {ok, Pid} = gen_server:start(?MODULE, 0, []),
    fun() ->
        Step = fun() ->
            burst(Pid, ?BURST),
            gen_server:call(Pid, {add, 0})
        end,
        ?BURST * 1.0e6 / per_step(Step)
    end;
%% Microseconds per call.
round_of("call") ->
    {ok, Pid} = gen_server:start(?MODULE, 0, []),
    fun() -> per_step(fun() -> gen_server:call(Pid, {add, 1}) end) end;
%% Microseconds per start.
round_of("start") ->
    fun() ->
        {Us, Pids} = timer:tc(fun start_idle/0),
        stop_idle(Pids),
        Us / ?IDLE
    end;
%% Bytes of memory per idle process.
round_of("heap") ->
    fun() ->
        Before = erlang:memory(processes),
        Pids = start_idle(),
        After = erlang:memory(processes),
        stop_idle(Pids),
        (After - Before) / ?IDLE
    end.

burst(_Pid, 0) -> ok;
burst(Pid, Left) ->
    gen_server:cast(Pid, {add, 1}),
    burst(Pid, Left - 1).

%% The mean of one step in microseconds, over about ROUND_US.
per_step(Step) ->
    Start = erlang:monotonic_time(microsecond),
    per_step(Step, Start, Start + ?ROUND_US, 0).

per_step(Step, Start, End, Steps) ->
    Step(),
    case erlang:monotonic_time(microsecond) of
        Now when Now < End -> per_step(Step, Start, End, Steps + 1);
        Now -> (Now - Start) / (Steps + 1)
    end.

start_idle() ->
    [begin {ok, Pid} = gen_server:start(?MODULE, 0, []), Pid end || _ <- lists:seq(1, ?IDLE)].

stop_idle(Pids) ->
    Monitors = [{Pid, erlang:monitor(process, Pid)} || Pid <- Pids],
    [exit(Pid, kill) || Pid <- Pids],
    [receive {'DOWN', Ref, process, Pid, _} -> ok end || {Pid, Ref} <- Monitors],
    ok.
