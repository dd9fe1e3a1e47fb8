/** A DNS server on a loopback port, over UDP and TCP, that answers what a spec tells it to. */
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import {
  type Answer,
  decode,
  encode,
  type Question,
  streamDecode,
  streamEncode,
  TRUNCATED_RESPONSE,
} from "dns-packet";

export const NOERROR = 0;
export const SERVFAIL = 2;
export const NXDOMAIN = 3;

/** How the server behaves towards whoever asks. */
export interface Behaviour {
  /** Records by name; an unknown name is NXDOMAIN, a name without records of the kind asked for is empty. */
  records: readonly Answer[];
  /** By name: this response code instead of records. */
  codes: Readonly<Record<string, number>>;
  /** Gives no answer at all. */
  silent: boolean;
  /** Over UDP: "marked" cuts all records and says so, "halved" sends the first half of the message. */
  truncate: "marked" | "halved" | undefined;
  /** Closes TCP connections instead of answering on them. */
  refuseTcp: boolean;
}

export class DnsServer {
  readonly behaviour: Behaviour = {
    records: [],
    codes: {},
    silent: false,
    truncate: undefined,
    refuseTcp: false,
  };
  /** What was asked, such as "udp SRV _nats._tcp.spec.test". */
  readonly asked: string[] = [];
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #connections: Set<Socket> = new Set();

  private constructor(udp: UdpSocket, tcp: Server) {
    this.#udp = udp;
    this.#tcp = tcp;
    udp.on("message", (message, peer) => {
      const answer = this.#answer(message, "udp");
      if (answer !== undefined) {
        udp.send(answer, peer.port, peer.address);
      }
    });
    tcp.on("connection", (socket) => this.#serve(socket));
  }

  /** Listens on one free port, for both protocols. */
  static async start(): Promise<DnsServer> {
    for (;;) {
      const udp = createSocket("udp4");
      udp.bind(0, "127.0.0.1");
      await once(udp, "listening");
      const tcp = createServer();
      try {
        tcp.listen(udp.address().port, "127.0.0.1");
        await once(tcp, "listening");
        return new DnsServer(udp, tcp);
      } catch (error) {
        udp.close();
        if (!(error instanceof Error && "code" in error && error.code === "EADDRINUSE")) {
          throw error;
        }
      }
    }
  }

  /** As `dns:HOST@ADDRESS` wants it. */
  get address(): string {
    return `127.0.0.1:${this.#udp.address().port}`;
  }

  async stop(): Promise<void> {
    const closed = Promise.all([once(this.#udp, "close"), once(this.#tcp, "close")]);
    this.#udp.close();
    this.#tcp.close();
    for (const socket of this.#connections) {
      socket.destroy();
    }
    await closed;
  }

  #serve(socket: Socket): void {
    this.#connections.add(socket);
    socket.on("close", () => this.#connections.delete(socket));
    socket.on("error", () => socket.destroy());
    if (this.behaviour.refuseTcp) {
      socket.destroy();
      return;
    }
    let received = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      const whole = streamDecode(received);
      if (whole !== null) {
        received = received.subarray(2 + received.readUInt16BE(0));
        const answer = this.#answer(encode(whole), "tcp");
        if (answer !== undefined) {
          socket.write(answer);
        }
      }
    });
  }

  #answer(message: Buffer, over: "udp" | "tcp"): Buffer | undefined {
    const { id, questions = [] } = decode(message);
    const [question] = questions;
    if (question === undefined) {
      return undefined;
    }
    this.asked.push(`${over} ${question.type} ${question.name}`);
    const { silent, truncate } = this.behaviour;
    if (silent) {
      return undefined;
    }
    const marked = over === "udp" && truncate === "marked";
    const { code, answers } = this.#records(question);
    const response = {
      type: "response" as const,
      id: id ?? 0,
      flags: code | (marked ? TRUNCATED_RESPONSE : 0),
      questions,
      answers: marked ? [] : answers,
    };
    const bytes = over === "tcp" ? streamEncode(response) : encode(response);
    return over === "udp" && truncate === "halved" ? bytes.subarray(0, bytes.length / 2) : bytes;
  }

  #records({ name, type }: Question): { code: number; answers: Answer[] } {
    const { records, codes } = this.behaviour;
    const code = codes[`${type} ${name}`] ?? codes[name];
    if (code !== undefined) {
      return { code, answers: [] };
    }
    const ofName = records.filter((record) => record.name === name);
    return {
      code: ofName.length === 0 ? NXDOMAIN : NOERROR,
      answers: ofName.filter((record) => record.type === type),
    };
  }
}
