/**
 * The options of a NATS connection, checked before anything is dialled: servers, credentials, TLS files.
 * Whatever is wrong is a `config_mismatch` that names the option, and the path where there is one.
 */
import { readFileSync } from "node:fs";
import { messageOf, SupercastError } from "../base/errors.ts";

export interface NatsAuthOptions {
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly token?: string | undefined;
  /** The seed of an nkey ("SU..."). */
  readonly nkey?: string | undefined;
  /** A file that holds such a seed. */
  readonly nkeyFile?: string | undefined;
  /** A credentials file (JWT and seed). Read again at every reconnect. */
  readonly creds?: string | undefined;
}

/** PEM files. Read again at every reconnect. Their presence, even as `{}`, demands TLS. */
export interface NatsTlsOptions {
  /** Certificates to trust instead of the system's. */
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

export interface NatsServerAddresses {
  /** One URL, several with commas between, or a list. Default `nats://127.0.0.1:4222`. */
  readonly servers?: string | readonly string[] | undefined;
}

export type NatsAddressOptions = NatsServerAddresses &
  NatsAuthOptions & { readonly tls?: NatsTlsOptions | undefined };

/** What the client needs, checked. */
export interface NatsSettings {
  /** `host:port`. */
  readonly hosts: readonly string[];
  readonly auth: NatsAuth;
  readonly tls: NatsTlsOptions | undefined;
}

export type NatsAuth =
  | { readonly by: "nothing" }
  | { readonly by: "password"; readonly user: string; readonly password: string }
  | { readonly by: "token"; readonly token: string }
  | { readonly by: "nkey"; readonly seed: Uint8Array }
  /** `read` gives the file's bytes as they are now; it throws what reading throws. */
  | { readonly by: "creds"; readonly path: string; readonly read: () => Uint8Array };

const DEFAULT_SERVER = "nats://127.0.0.1:4222";
const DEFAULT_PORT = 4222;
const SERVER = /^(?:(nats|tls):\/\/)?(?:([^@/\s]*)@)?(\[[0-9a-fA-F:.]+\]|[^\s:/@[\]?#]+)(?::(\d{1,5}))?\/?$/;

interface Server {
  readonly host: string;
  readonly tls: boolean;
  readonly login: string | undefined;
}

/** Throws `config_mismatch`. Reads the files once, so that a wrong path shows now and not at a reconnect. */
export function natsSettings(options: NatsAddressOptions): NatsSettings {
  const servers = parseServers(options.servers ?? DEFAULT_SERVER);
  const tls = options.tls ?? (servers.some((server) => server.tls) ? {} : undefined);
  if (tls !== undefined) {
    checkTls(tls);
  }
  return { hosts: servers.map((server) => server.host), auth: parseAuth(options, servers), tls };
}

function wrong(text: string, cause?: unknown): SupercastError {
  return new SupercastError("config_mismatch", text, cause === undefined ? {} : { cause });
}

function parseServers(servers: string | readonly string[]): readonly Server[] {
  const texts = (typeof servers === "string" ? servers.split(",") : servers).map((text) => text.trim());
  if (texts.length === 0) {
    throw wrong("servers is an empty list; allowed: at least one URL as in nats://127.0.0.1:4222");
  }
  return texts.map(parseServer);
}

function parseServer(text: string): Server {
  const [, scheme, login, host, port] = SERVER.exec(text) ?? [];
  const number = port === undefined ? DEFAULT_PORT : Number(port);
  if (host === undefined || number < 1 || number > 65_535) {
    throw wrong(
      `servers: ${JSON.stringify(hideLogin(text))} is not allowed; use nats://HOST:PORT or tls://HOST:PORT`,
    );
  }
  return { host: `${host}:${number}`, tls: scheme === "tls", login };
}

function hideLogin(url: string): string {
  return url.replace(/\/\/[^@/]*@/, "//***@");
}

/** Credentials of the options, or those that the URLs hold, as NATS's own tools take them. */
function parseAuth(options: NatsAuthOptions, servers: readonly Server[]): NatsAuth {
  const given = GIVEN.filter((name) => options[name] !== undefined);
  if (given.length > 1) {
    throw wrong(`${given.join(" and ")} exclude each other; give one`);
  }
  if (options.password !== undefined && options.user === undefined) {
    throw wrong("password is given without user");
  }
  const logins = new Set(servers.map((server) => server.login).filter((login) => login !== undefined));
  const [login] = logins;
  if (login === undefined) {
    return authOf(options);
  }
  if (given.length > 0 || logins.size > 1) {
    throw wrong("servers hold different credentials, or some beside those of the options; give one");
  }
  return authOfLogin(login);
}

const GIVEN = ["user", "token", "nkey", "nkeyFile", "creds"] as const;

function authOf(options: NatsAuthOptions): NatsAuth {
  const { user, password, token, nkey, nkeyFile, creds } = options;
  if (user !== undefined) {
    return { by: "password", user, password: password ?? "" };
  }
  if (token !== undefined) {
    return { by: "token", token };
  }
  if (nkey !== undefined) {
    return { by: "nkey", seed: seedOf("nkey", Buffer.from(nkey)) };
  }
  if (nkeyFile !== undefined) {
    return { by: "nkey", seed: seedOf("nkeyFile", readOption("nkeyFile", nkeyFile)) };
  }
  if (creds !== undefined) {
    readOption("creds", creds);
    return { by: "creds", path: creds, read: () => readFileSync(creds) };
  }
  return { by: "nothing" };
}

function authOfLogin(login: string): NatsAuth {
  const [user = "", ...rest] = login.split(":").map(decodePart);
  return rest.length === 0
    ? { by: "token", token: user }
    : { by: "password", user, password: rest.join(":") };
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    throw wrong("servers: the credentials in a URL are not percent-encoded text", error);
  }
}

/** The line of a file that is the seed; comments and an armour of dashes may stand around it. */
function seedOf(option: string, bytes: Uint8Array): Uint8Array {
  const seed = /^S[UNA][A-Z2-7]{56}$/m.exec(Buffer.from(bytes).toString("latin1").replaceAll("\r", ""))?.[0];
  if (seed === undefined) {
    throw wrong(`${option} holds no nkey seed; allowed: 58 characters that begin with "SU"`);
  }
  return Buffer.from(seed);
}

function checkTls(tls: NatsTlsOptions): void {
  for (const name of ["caFile", "certFile", "keyFile"] as const) {
    const path = tls[name];
    if (path !== undefined && !readOption(`tls.${name}`, path).includes("-----BEGIN ")) {
      throw wrong(`tls.${name}: ${JSON.stringify(path)} is not a PEM file`);
    }
  }
  if ((tls.certFile === undefined) !== (tls.keyFile === undefined)) {
    throw wrong("tls.certFile and tls.keyFile belong together; give both");
  }
}

function readOption(option: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw wrong(`${option}: cannot read ${JSON.stringify(path)}: ${messageOf(error)}`, error);
  }
}
