/**
 * Unpacks a package of the Debian-like system this runs on, without root and without touching the
 * system: apt keeps its lists and its download in a folder of ours, dpkg-deb only unpacks.
 *
 * apt checks the signatures, as it does for the system itself.
 */
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run, step } from "./terminal.mjs";

const UPDATE_TIMEOUT_MS = 180_000;
const DOWNLOAD_TIMEOUT_MS = 180_000;

/** Whether this system has apt-get and dpkg-deb. */
export async function hasDebianPackages() {
  const [apt, dpkg] = await Promise.all([run("apt-get", ["--version"]), run("dpkg-deb", ["--version"])]);
  return apt.ok && dpkg.ok;
}

/**
 * Fetches `name` with apt and unpacks it.
 *
 * @param {string} name
 * @param {string} folder an existing, empty folder for apt's state, the download and the content
 * @param {{ dependencies?: boolean }} [options] `dependencies`: also what it depends on and this system lacks,
 * unpacked into the same folder
 * @returns {Promise<string>} the folder that holds the package's files
 * @throws {Error} with the last line that apt or dpkg-deb printed
 */
export async function unpackDebianPackage(name, folder, { dependencies = false } = {}) {
  const config = join(folder, "apt.conf");
  await writeFile(config, aptConfig(folder));
  await mkdir(join(folder, "lists", "partial"), { recursive: true });
  await mkdir(join(folder, "cache", "archives", "partial"), { recursive: true });
  /** @param {string[]} args @param {number} timeoutMs */
  const apt = (args, timeoutMs) =>
    must(`apt-get ${args.join(" ")}`, "apt-get", ["--config-file", config, "--quiet", ...args], {
      cwd: folder,
      timeoutMs,
    });

  await step(process.stderr, "reading the system's package lists with apt, into .cache", () =>
    apt(["update"], UPDATE_TIMEOUT_MS),
  );
  const names = new Set([name]);
  if (dependencies) {
    const plan = await apt(["--simulate", "--no-install-recommends", "install", name], DOWNLOAD_TIMEOUT_MS);
    for (const [, lacking] of plan.matchAll(/^Inst (\S+)/gm)) {
      names.add(lacking ?? name);
    }
  }
  const uri = /'([^']+)'/.exec(await apt(["--print-uris", "download", name], DOWNLOAD_TIMEOUT_MS))?.[1];
  const others = names.size === 1 ? "" : ` and ${names.size - 1} packages that it needs`;
  await step(
    process.stderr,
    `fetching the package ${name}${others} from ${uri ?? "the system's package source"}`,
    () => apt(["download", ...names], DOWNLOAD_TIMEOUT_MS),
  );
  const archives = (await readdir(folder)).filter((file) => file.endsWith(".deb"));
  if (archives.length === 0) {
    throw new Error(`apt-get download ${name} left no package`);
  }
  const content = join(folder, "content");
  for (const archive of archives) {
    await must(`dpkg-deb -x ${archive}`, "dpkg-deb", ["-x", join(folder, archive), content], { cwd: folder });
  }
  return content;
}

/**
 * Everything apt writes goes into `folder`; hooks of the system (which may clean its cache or start
 * other tools) are switched off; only the package index is read, no translations.
 *
 * @param {string} folder
 */
function aptConfig(folder) {
  const lines = [
    `Dir::State::lists "${folder}/lists";`,
    `Dir::Cache "${folder}/cache";`,
    `Dir::Log "${folder}";`,
    'Debug::NoLocking "1";',
    'Acquire::Languages "none";',
    'Acquire::Retries "2";',
    'Acquire::http::Timeout "20";',
    'Acquire::https::Timeout "20";',
    ...["Update::Pre-Invoke", "Update::Post-Invoke", "Update::Post-Invoke-Success"].map(
      (hook) => `#clear APT::${hook};`,
    ),
  ];
  if (process.getuid?.() === 0) {
    // As root, apt would hand the download to a user who may not write into this folder.
    lines.push('APT::Sandbox::User "root";');
  }
  return `${lines.join("\n")}\n`;
}

/**
 * @param {string} what
 * @param {string} command
 * @param {string[]} args
 * @param {Parameters<typeof run>[2]} options
 */
async function must(what, command, args, options) {
  const env = { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };
  const { ok, output } = await run(command, args, { ...options, env });
  if (!ok) {
    const lines = output.trim().split("\n");
    throw new Error(`${what} failed: ${lines.find((line) => line.startsWith("E:")) ?? lines.at(-1)}`);
  }
  return output;
}
