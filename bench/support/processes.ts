import { readdirSync, readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { medianOf } from './numbers.ts';

const ticksPerSecond = 100;

/** Fields of /proc/PID/stat after the command: ppid is 1, utime 11, stime 12, cutime 13, cstime 14. */
function statOf(pid: number): number[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
  } catch {
    return undefined;
  }
}

/** The parent of a process, where there is a /proc. */
export const parentOf = (pid: number): number | undefined => statOf(pid)?.[1];

const sum = (fields: number[], from: number, to: number): number =>
  fields.slice(from, to).reduce((all, ticks) => all + ticks, 0);

/** CPU seconds of a process and of its children, those that have ended too. */
function cpuOfTree(pid: number): number {
  for (;;) {
    const own = statOf(pid);
    if (!own) return Number.NaN;
    let ticks = sum(own, 11, 15);
    for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
      const fields = statOf(Number(name));
      if (fields?.[1] === pid) ticks += sum(fields, 11, 13);
    }
    // A child that ended meanwhile would be counted twice or not at all.
    if (sum(statOf(pid) ?? [], 13, 15) === sum(own, 13, 15)) return ticks / ticksPerSecond;
  }
}

function cpuOf(pid: number): number {
  const own = statOf(pid);
  return own ? sum(own, 11, 13) / ticksPerSecond : Number.NaN;
}

/** CPU seconds of all processes of this machine. */
function cpuOfAll(): number {
  try {
    const line = readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '';
    const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = line
      .split(/\s+/)
      .slice(1)
      .map(Number);
    return (user + nice + system + irq + softirq) / ticksPerSecond;
  } catch {
    return Number.NaN;
  }
}

/** CPU seconds that were used; `others` are those of processes that are none of ours. NaN without /proc. */
export type Cpu = {
  workerd: number;
  postgres: number;
  standIns: number;
  client: number;
  others: number;
  /** How long it took. */
  seconds: number;
};

/** Starts measuring (`standIns`: of a process of their own); the returned function ends it and is told what the load thread used. */
export function measureCpu(pids: { workerd: number; postmaster?: number; standIns?: number }) {
  const now = () => ({
    workerd: cpuOf(pids.workerd),
    standIns: pids.standIns === undefined ? 0 : cpuOf(pids.standIns),
    postgres: pids.postmaster === undefined ? 0 : cpuOfTree(pids.postmaster),
    node: process.cpuUsage(),
    all: cpuOfAll(),
    at: performance.now(),
  });
  const before = now();
  return (client: number): Cpu => {
    const after = now();
    const { user, system } = process.cpuUsage(before.node);
    const node = (user + system) / 1_000_000 + after.standIns - before.standIns;
    const workerd = after.workerd - before.workerd;
    const postgres = after.postgres - before.postgres;
    return {
      workerd,
      postgres,
      standIns: Math.max(0, node - client),
      client,
      others: Math.max(0, after.all - before.all - workerd - postgres - node),
      seconds: (after.at - before.at) / 1000,
    };
  };
}

/** CPU per unit of work, in columns; medians over rounds. `scale` makes the unit of the seconds. */
export function cpuColumns(rounds: { cpu: Cpu; units: number }[], unit: string, scale: number) {
  const per = (name: keyof Cpu): number =>
    medianOf(rounds, ({ cpu, units }) => (cpu[name] / units) * scale);
  return {
    [`workerd ${unit}`]: per('workerd'),
    [`Postgres ${unit}`]: per('postgres'),
    [`stand-ins ${unit}`]: per('standIns'),
    [`client ${unit}`]: per('client'),
    'others cores': medianOf(rounds, ({ cpu }) => cpu.others / cpu.seconds),
  };
}

/** What `cpuColumns` says, for the notes. */
export const aboutCpu =
  'Columns of CPU: time that each process used for one unit of work; stand-ins, client threads apart, are one Node thread. "others": cores that processes of somebody else used meanwhile.';

/** How late timers of this thread, which the stand-ins share, are: p99 in milliseconds. */
export function measureLag(): () => number {
  const histogram = monitorEventLoopDelay({ resolution: 10 });
  histogram.enable();
  return () => {
    histogram.disable();
    return Math.max(0, histogram.percentile(99) / 1_000_000 - 10);
  };
}

const sampleEveryMs = 50;

/** Resident memory of a process in MB; NaN where there is no /proc. */
export function residentMb(pid: number): number {
  try {
    const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return (Number(kilobytes) * 1024) / 1_000_000;
  } catch {
    return Number.NaN;
  }
}

/** Samples a process's resident memory; the returned function ends it and gives the peak in MB. */
export function measureMemory(pid: number): () => number {
  let peak = residentMb(pid);
  const timer = setInterval(() => (peak = Math.max(peak, residentMb(pid))), sampleEveryMs);
  return () => {
    clearInterval(timer);
    return Math.max(peak, residentMb(pid));
  };
}
