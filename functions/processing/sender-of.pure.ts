import type { JobSender, Sender } from './sender.ts';

export const senderFields = [
  'name',
  'role',
  'company',
  'website',
  'offer',
  'tone',
  'language',
  'signature',
] as const satisfies (keyof Sender)[];

/**
 * Who writes a job's e-mails: the profile, each field that the job gives in its place. An empty text takes a field
 * away, null leaves the profile's; an answer of null: nothing is known of the sender.
 */
export function senderOf(
  profile: Sender | null | undefined,
  override: JobSender | null | undefined,
): Sender | null {
  const said = senderFields.flatMap((field) => {
    const value = override?.[field] ?? profile?.[field] ?? '';
    return value.trim() === '' ? [] : [[field, value] as const];
  });
  return said.length === 0 ? null : Object.fromEntries(said);
}

/** The profile with every field, null where nothing is said. */
export const senderView = (sender: Sender | null) => ({
  name: sender?.name ?? null,
  role: sender?.role ?? null,
  company: sender?.company ?? null,
  website: sender?.website ?? null,
  offer: sender?.offer ?? null,
  tone: sender?.tone ?? null,
  language: sender?.language ?? null,
  signature: sender?.signature ?? null,
});
export type SenderView = ReturnType<typeof senderView>;
