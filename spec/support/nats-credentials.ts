/**
 * Credentials of a NATS operator setup, made for one spec: the operator's and the account's JWT for the
 * server's configuration, and a credentials file's text for a user.
 */
import { nkeys as untyped } from "nats";

interface NKeyPair {
  getPublicKey(): string;
  getSeed(): Uint8Array;
  sign(bytes: Uint8Array): Uint8Array;
}

/** The client's key library, which it exports without types. */
const nkeys: { [Kind in "createOperator" | "createAccount" | "createUser"]: () => NKeyPair } = untyped;

/** A user's key pair: what the server knows, and what the client holds. */
export function makeNkey(): { readonly publicKey: string; readonly seed: string } {
  const user = nkeys.createUser();
  return { publicKey: user.getPublicKey(), seed: new TextDecoder().decode(user.getSeed()) };
}

export interface OperatorSetup {
  /** The server's configuration: who may connect is said by the JWTs. */
  readonly config: string;
  /** Text of a credentials file for a new user. */
  makeCreds(user: string): string;
}

export function makeOperatorSetup(): OperatorSetup {
  const operator = nkeys.createOperator();
  const account = nkeys.createAccount();
  const operatorJwt = sign(operator, operator, "operator", "spec operator", { version: 2, type: "operator" });
  const accountJwt = sign(operator, account, "account", "spec account", {
    version: 2,
    type: "account",
    limits: {
      subs: -1,
      data: -1,
      payload: -1,
      imports: -1,
      exports: -1,
      wildcards: true,
      conn: -1,
      leaf: -1,
    },
  });
  return {
    config: `
      operator: ${operatorJwt}
      resolver: MEMORY
      resolver_preload: { ${account.getPublicKey()}: ${accountJwt} }
    `,
    makeCreds: (name) => {
      const user = nkeys.createUser();
      const claims = { version: 2, type: "user", subs: -1, data: -1, payload: -1, pub: {}, sub: {} };
      const jwt = sign(account, user, "user", name, claims);
      return credsText(jwt, new TextDecoder().decode(user.getSeed()));
    },
  };
}

/** The text of a credentials file. */
export function credsText(jwt: string, seed: string): string {
  return [
    "-----BEGIN NATS USER JWT-----",
    jwt,
    "------END NATS USER JWT------",
    "",
    "-----BEGIN USER NKEY SEED-----",
    seed,
    "------END USER NKEY SEED------",
    "",
  ].join("\n");
}

function sign(issuer: NKeyPair, subject: NKeyPair, kind: string, name: string, claims: object): string {
  const body = {
    jti: `SPEC${kind.toUpperCase()}`,
    iat: Math.floor(Date.now() / 1000),
    iss: issuer.getPublicKey(),
    name,
    sub: subject.getPublicKey(),
    nats: claims,
  };
  const text = `${encode({ typ: "JWT", alg: "ed25519-nkey" })}.${encode(body)}`;
  return `${text}.${Buffer.from(issuer.sign(Buffer.from(text))).toString("base64url")}`;
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}
