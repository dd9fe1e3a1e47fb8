/**
 * What the linear checkers answer: the violations found, each with a kind that a test can name and a
 * sentence that a person can read. Only the first are kept, all are counted, so that a history that is
 * wrong everywhere does not fill the memory.
 */

export interface Violation {
  readonly kind: string;
  readonly message: string;
}

export interface Findings {
  /** The first ones, at most `VIOLATIONS_KEPT_MAX`. Empty: the history passed. */
  readonly violations: readonly Violation[];
  readonly total: number;
}

export const VIOLATIONS_KEPT_MAX = 50;

export class FindingsCollector implements Findings {
  readonly violations: Violation[] = [];
  total = 0;

  add(kind: string, message: string): void {
    this.total += 1;
    if (this.violations.length < VIOLATIONS_KEPT_MAX) {
      this.violations.push({ kind, message });
    }
  }
}

/** The kinds that were found, each once, in order of their first appearance. */
export function kindsOf(findings: Findings): string[] {
  return [...new Set(findings.violations.map((violation) => violation.kind))];
}
