/** What the NATS client and the sockets under it throw, in the words of this project. */
import { type ErrorCode, messageOf, SupercastError } from "../base/errors.ts";

/** Codes of the client: the server knows who we are, or does not, and will not change its mind. */
const REFUSED: ReadonlySet<string> = new Set([
  "AUTHORIZATION_VIOLATION",
  "AUTHENTICATION_EXPIRED",
  "ACCOUNT_EXPIRED",
  "BAD_AUTHENTICATION",
  "PERMISSIONS_VIOLATION",
]);

/** Codes of the client: our own options are at fault. */
const MISCONFIGURED: ReadonlySet<string> = new Set([
  "BAD_CREDS",
  "INVALID_OPTION",
  "SERVER_OPT_NA",
  "TLS",
  "BAD API",
]);

/** Codes of Node and OpenSSL when certificates do not satisfy. */
const CERTIFICATE =
  /^(ERR_(TLS|SSL|OSSL)_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH|INVALID_CA|EPROTO)/;

/** Those of them that mean: nobody whom we trust vouches for the server's certificate. */
const UNTRUSTED = /^(CERT_UNTRUSTED|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA)/;

/** TLS alerts by which a server complains of the client's certificate, or of there being none. */
const OUR_CERTIFICATE = /_ALERT_(BAD_CERTIFICATE|CERTIFICATE_REQUIRED|UNKNOWN_CA|CERTIFICATE_)/;

/** Where OpenSSL's long line says what it is about. */
const OPENSSL_REASON = / routines:[^:]*:([^:]+)/;

/** Why connecting to `server` failed. `forbidden` and `config_mismatch` will not pass by waiting. */
export function connectError(error: unknown, server: string): SupercastError {
  const code = codeOf(error);
  const said = wordsOf(error);
  const failure = (errorCode: ErrorCode, text: string): SupercastError =>
    new SupercastError(errorCode, text, { cause: error });
  if (REFUSED.has(code)) {
    return failure("forbidden", `the nats-server at ${server} refuses the connection: ${said}`);
  }
  if (code === "SERVER_OPT_NA" && said === "tls") {
    return failure("config_mismatch", `tls: the nats-server at ${server} offers no TLS`);
  }
  if (OUR_CERTIFICATE.test(code)) {
    const text = `the nats-server at ${server} demands a client certificate, or refuses ours: ${said}`;
    return failure("config_mismatch", `tls.certFile: ${text}`);
  }
  if (UNTRUSTED.test(code)) {
    const text = `the certificate of the nats-server at ${server} is not trusted: ${said} (${code})`;
    return failure("config_mismatch", `${text}; tls.caFile names whom to trust`);
  }
  if (MISCONFIGURED.has(code) || CERTIFICATE.test(code)) {
    return failure("config_mismatch", `cannot connect to the nats-server at ${server}: ${said} (${code})`);
  }
  return failure("noconnection", `no connection to the nats-server at ${server}: ${said || code}`);
}

/** Ways in which a connection just ends: the server may have said why in a TLS alert that came too late. */
const ENDED = new Set(["", "ECONNRESET", "EPIPE", "CONNECTION_CLOSED", "DISCONNECT"]);

/** Whether connecting failed because the other side just ended it. */
export function justEnded(error: unknown): boolean {
  return ENDED.has(codeOf(error));
}

/** Why the connection ended, or what the server complained about while it stood. */
export function runningError(code: string, server: string, cause?: unknown): SupercastError {
  const errorCode: ErrorCode = REFUSED.has(code) ? "forbidden" : "noconnection";
  return new SupercastError(errorCode, `the nats-server at ${server} reports ${code}`, { cause });
}

/** What the client throws when a message is handed to it. */
export function publishError(error: unknown): SupercastError {
  const code = codeOf(error);
  if (code === "CONNECTION_CLOSED" || code === "CONNECTION_DRAINING" || code === "DISCONNECT") {
    return new SupercastError("noconnection", "the connection to NATS is closed", { cause: error });
  }
  return new SupercastError("invalid_message", `NATS refuses the message: ${messageOf(error)}`, {
    cause: error,
  });
}

function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}

/** The error's message, and that of the one below it, which often says more. */
function wordsOf(error: unknown): string {
  const below =
    typeof error === "object" && error !== null && "chainedError" in error ? error.chainedError : undefined;
  const words = error === undefined ? "the server closed the connection" : messageOf(error);
  const more = below === undefined ? "" : messageOf(below);
  const text = more === "" || more === words ? words : `${words}: ${more}`;
  return OPENSSL_REASON.exec(text)?.[1] ?? text;
}
