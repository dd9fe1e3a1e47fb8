/** A child process that answers a bench's questions: `heap` with a number, `holds` with an error. */
import { serveJob } from "../../scripts/bench/child.ts";
import { answerQuestions } from "../../scripts/bench/commit/commands.ts";

serveJob(() => {
  answerQuestions((command) => {
    if (command.type === "exit") {
      process.exit(3);
    }
    return command.type === "holds"
      ? Promise.reject(new Error(`no position ${command.seq}`))
      : Promise.resolve(command.type === "heap" ? 17 : null);
  });
  return Promise.resolve("ready");
});
