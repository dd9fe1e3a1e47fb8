import { expect } from "chai";
import fc from "fast-check";
import { ChartTable } from "../../lib/stream/chart-table.ts";
import {
  ROLE_EVENTS,
  ROLES,
  type Role,
  type RoleEventType,
  roleAfter,
  roleChart,
} from "../../lib/stream/role-chart.ts";
import { runChart, waysTo } from "../support/chart.ts";

const EVENTS = Object.keys(ROLE_EVENTS).filter(isEvent);
const WRITING: readonly Role[] = ["sealing", "adopting", "opening", "open"];

function isEvent(name: string): name is RoleEventType {
  return Object.hasOwn(ROLE_EVENTS, name);
}

function isRole(value: unknown): value is Role {
  return ROLES.some((role) => role === value);
}

/** The roles from which an event leads into `role`, and the events. */
function waysInto(role: Role): string[] {
  const pairs = ROLES.flatMap((from) => EVENTS.map((event) => ({ from, event })));
  return pairs
    .filter(({ from, event }) => from !== role && roleAfter(from, event) === role)
    .map(({ from, event }) => `${from} ${event}`);
}

describe("the role chart", () => {
  const ways = waysTo(roleChart, EVENTS);

  it("reaches every role from empty, and nothing that is no role", () => {
    expect([...ways.keys()]).to.have.members([...ROLES]);
    expect(ways.get("empty")).to.deep.equal([]);
  });

  for (const role of ROLES) {
    it(`answers from its table what a running chart does: ${role}`, () => {
      for (const event of EVENTS) {
        const running = runChart(roleChart, [...(ways.get(role) ?? []), event]).value;
        expect(roleAfter(role, event), `${role}, ${event}`).to.equal(running);
      }
    });
  }

  it("agrees with a running chart on any walk", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...EVENTS), { maxLength: 60 }), (walk) => {
        const last = walk.reduce<Role>(roleAfter, "empty");
        expect(last).to.equal(runChart(roleChart, walk).value);
      }),
      { numRuns: 200 },
    );
  });

  it("leaves a role as it is at an event that it does not know", () => {
    const table = new ChartTable<Role, string>(roleChart, isRole);
    for (const role of ROLES) {
      expect(table.after(role, "appended"), role).to.equal(role);
      expect(runChart(roleChart, [...(ways.get(role) ?? []), "appended"]).value).to.equal(role);
    }
  });

  it("opens only behind a barrier of its own claim", () => {
    expect(waysInto("open")).to.deep.equal(["opening opened"]);
    expect(waysInto("opening")).to.deep.equal(["adopting adopted"]);
    expect(waysInto("adopting")).to.deep.equal(["sealing sealComplete"]);
  });

  it("lets nobody claim who is no member", () => {
    const claimants = waysInto("sealing").map((way) => way.split(" ")[0]);
    expect(claimants).to.have.members(["syncing", "follower", "sealed", "open", "fenced"]);
  });

  it("is neither writer nor claimant after a promise to another, nor when it follows one", () => {
    for (const role of ROLES) {
      for (const event of ["sealed", "following", "behind"] as const) {
        const next = roleAfter(role, event);
        expect(WRITING.includes(next), `${role}, ${event}: ${next}`).to.equal(false);
      }
    }
  });

  it("gives up a claim as one who has promised, and the writer's role as one who is fenced", () => {
    for (const role of ["sealing", "adopting", "opening"] as const) {
      expect(roleAfter(role, "abandoned"), role).to.equal("sealed");
    }
    expect(roleAfter("open", "silenced")).to.equal("fenced");
    expect(roleAfter("open", "sealed")).to.equal("fenced");
  });

  it("ends in damaged, which nothing leads out of; one that is gone may be fed again", () => {
    for (const role of ROLES) {
      expect(roleAfter(role, "retired")).to.equal(role === "damaged" ? "damaged" : "gone");
      expect(roleAfter(role, "damaged")).to.equal("damaged");
    }
    expect(roleAfter("gone", "fed")).to.equal("learner");
    expect(roleAfter("gone", "admitted")).to.equal("syncing");
    const ends = ROLES.filter((role) => EVENTS.every((event) => roleAfter(role, event) === role));
    expect(ends).to.deep.equal(["damaged"]);
  });
});
