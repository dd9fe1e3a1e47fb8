/** The tour's input: what the installed dependencies say about themselves, some megabytes on every machine. */
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

const WANTED = /^(licen[cs]e|copying|notice|readme|changelog|changes|history)\b.*|\.md$/i;
const CODE = /\.(c?js|m?js|c?ts|json)$/i;
/** Characters of one piece of work. */
const PIECE_CHARACTERS = 16_384;

export interface Corpus {
  readonly files: number;
  readonly bytes: number;
  readonly texts: readonly string[];
  /** The same texts, cut between words and joined to pieces of about one size. */
  readonly pieces: readonly string[];
}

/** Reads the licences, readmes and other pages in `folder`, by default the clone's node_modules. */
export async function readCorpus(folder: string = join(cloneFolder(), "node_modules")): Promise<Corpus> {
  const files = (await filesIn(folder)).sort();
  const texts = await Promise.all(files.map((file) => readFile(file, "utf8")));
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes === 0) {
    throw new Error(`there are no licences and readmes in ${folder}`);
  }
  return { files: files.length, bytes, texts, pieces: cut(texts) };
}

function cloneFolder(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, "package.json"))) {
    folder = dirname(folder);
  }
  return folder;
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const found = entries.map(async (entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      return filesIn(path);
    }
    return entry.isFile() && WANTED.test(entry.name) && !CODE.test(entry.name) ? [path] : [];
  });
  return (await Promise.all(found)).flat();
}

/** Cuts only at line breaks, so that no word falls apart. */
function cut(texts: readonly string[]): readonly string[] {
  const pieces: string[] = [];
  let piece: string[] = [];
  let length = 0;
  for (const line of texts.flatMap((text) => text.split("\n"))) {
    if (length > 0 && length + line.length > PIECE_CHARACTERS) {
      pieces.push(piece.join("\n"));
      piece = [];
      length = 0;
    }
    piece.push(line);
    length += line.length + 1;
  }
  return [...pieces, piece.join("\n")];
}
