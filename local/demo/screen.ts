export type Progress = {
  done: number;
  total: number;
  rowsPerSecond: number;
  etaSeconds: number;
  /** Why nothing moves. */
  waiting?: string | undefined;
};

/** What the demo shows. On a terminal with colours and a bar that moves, elsewhere as plain lines. */
export type Screen = {
  title: (text: string) => void;
  /** A step that begins: its line is replaced by `done`'s on a terminal. */
  begin: (text: string) => void;
  done: (text: string) => void;
  note: (text: string) => void;
  bar: (at: Progress) => void;
  table: (title: string, rows: [string, string][]) => void;
  failure: (text: string) => void;
};

const width = 32;
const number = new Intl.NumberFormat('en-US');

/** 12,345 */
export const count = (value: number): string => number.format(value);

const eta = (seconds: number): string =>
  seconds >= 90 ? `${Math.round(seconds / 60)} min` : `${Math.max(0, Math.round(seconds))} s`;

/** A screen on `stream`; `plain` leaves out colours, boxes that need them and cursor movements. */
export function createScreen(stream: NodeJS.WriteStream, plain: boolean): Screen {
  const style = (code: string) => (text: string) =>
    plain ? text : `\u001B[${code}m${text}\u001B[0m`;
  const [bold, dim, green, red, cyan] = ['1', '2', '32', '31', '36'].map(style) as [
    (text: string) => string,
    (text: string) => string,
    (text: string) => string,
    (text: string) => string,
    (text: string) => string,
  ];
  const line = (text: string): void => void stream.write(`${plain ? '' : '\r\u001B[2K'}${text}\n`);
  const redraw = (text: string): void => void stream.write(`\r\u001B[2K${text}`);
  let shown = '';
  return {
    title: (text) => line(`\n${bold(text)}\n`),
    begin: (text) => (plain ? undefined : redraw(`  ${cyan('…')} ${text}`)),
    done: (text) => line(`  ${green('✔')} ${text}`),
    note: (text) => line(`    ${dim(text)}`),
    bar: ({ done, total, rowsPerSecond, etaSeconds, waiting }) => {
      const share = total === 0 ? 1 : done / total;
      const filled = Math.round(share * width);
      const speed = `${rowsPerSecond.toFixed(0)} rows/s · ${eta(etaSeconds)} left`;
      const pace = waiting ?? (done === 0 ? 'starting' : speed);
      const numbers = `${count(done)}/${count(total)} rows · ${pace}`;
      const percent = `${Math.floor(share * 100)} %`.padStart(5);
      if (!plain) {
        const bars = cyan('━'.repeat(filled)) + dim('━'.repeat(width - filled));
        return redraw(`    ${bars} ${percent} · ${numbers}`);
      }
      const news = `${Math.floor(share * 10)} ${waiting ?? ''}`;
      if (news === shown) return undefined;
      shown = news;
      return line(`    ${percent} · ${numbers}`);
    },
    table: (title, rows) => {
      const left = Math.max(...rows.map(([name]) => name.length));
      const right = Math.max(...rows.map(([, value]) => value.length), title.length - left);
      const edge = (from: string, to: string): string => from + '─'.repeat(left + right + 4) + to;
      line(`\n  ${edge('┌', '┐')}`);
      line(`  │ ${bold(title.padEnd(left + right + 2))} │`);
      line(`  ${edge('├', '┤')}`);
      for (const [name, value] of rows)
        line(`  │ ${dim(name.padEnd(left))}  ${value.padStart(right)} │`);
      line(`  ${edge('└', '┘')}`);
    },
    failure: (text) => line(`  ${red('✘')} ${text}`),
  };
}
