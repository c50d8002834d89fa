import type { Details } from './prompt-details.ts';
import { chance } from './seeded-failures.ts';

/** A JSON object whose values are left open, as prompts show it: `{"category": "…", "reason": "…"}`. */
const formPattern =
  /\{\s*"[^"{}]+"\s*:\s*"(?:…|\.{3})"(?:\s*,\s*"[^"{}]+"\s*:\s*"(?:…|\.{3})")*\s*\}/;
const choicesPattern = /\bone of:?\s+([^.\n{}]+)/i;

/** The choices of the first "One of: a, b or c." in a prompt. */
const choicesOf = (prompt: string): string[] =>
  (choicesPattern.exec(prompt)?.[1] ?? '')
    .split(/,|\bor\b/)
    .map((choice) => choice.trim())
    .filter((choice) => choice !== '');

/**
 * Fills the form that a prompt asks for: the first value is one of the choices that it names, if it
 * names some, the others are a sentence. The same prompt gets the same answer. Undefined: no form.
 */
export function fillForm(prompt: string, details: Details, ref: string): string | undefined {
  const form = formPattern.exec(prompt)?.[0];
  if (form === undefined) return undefined;
  const keys = Object.keys(JSON.parse(form) as Record<string, string>);
  const choices = choicesOf(prompt);
  const choice = choices[Math.floor(chance(ref, 'choice') * choices.length)];
  const subject = details.company ?? details.person ?? 'the lead';
  const sentence = `What is known of ${subject} points there (ref ${ref}).`;
  return JSON.stringify(
    Object.fromEntries(
      keys.map((key, i) => [key, i === 0 ? (choice ?? details.industry ?? 'Other') : sentence]),
    ),
  );
}
