declare module 'csv-spectrum' {
  type Sample = { name: string; csv: Buffer; json: Buffer };
  const readAll: (callback: (error: Error | null, samples: Sample[]) => void) => void;
  export default readAll;
}
