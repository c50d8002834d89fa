import * as z from 'zod';
import { json, optional, positiveDecimal, required, url, withoutEndSlash } from './fields.ts';

/**
 * Whose rules a provider keeps: parameters it refuses, what its limits count, what its headers mean; `plain`:
 * nothing is known of these.
 */
export type Profile = 'openai' | 'groq' | 'plain';

/** A model that can be asked; `name` is what breakers, limits and prices call it. */
export type ModelConfig = {
  name: string;
  apiKey: string;
  baseUrl: string;
  model: string;
  profile: Profile;
  /** What its provider allows; undefined: learned. */
  requestsPerMinute: number | undefined;
  tokensPerMinute: number | undefined;
};

const profile = z.enum(['openai', 'groq', 'plain'], 'is not openai, groq or plain').optional();
const perMinute = z.number('is not a number').positive('is not positive').optional();

const listedModel = z.strictObject(
  {
    name: z.string('is missing').regex(/^[a-z0-9][a-z0-9._-]{0,39}$/i, 'is not a short name'),
    baseUrl: url,
    model: required,
    keyName: z.string('is missing').regex(/^[A-Z][A-Z0-9_]*$/, 'is not the name of a secret'),
    requestsPerMinute: perMinute,
    tokensPerMinute: perMinute,
    profile,
  },
  'is not a model of known fields',
);
type ListedModel = z.infer<typeof listedModel>;

const hasEachNameOnce = (models: ListedModel[]) =>
  new Set(models.map(({ name }) => name)).size === models.length;

export const modelSettings = {
  /** Needed unless LLM_MODELS names others. */
  LLM_API_KEY: optional,
  LLM_BASE_URL: url.default('https://api.groq.com/openai/v1'),
  LLM_MODEL: z.string().min(1, 'is empty').default('openai/gpt-oss-120b'),
  LLM_PROFILE: profile,
  LLM_REQUESTS_PER_MINUTE: positiveDecimal.optional(),
  LLM_TOKENS_PER_MINUTE: positiveDecimal.optional(),
  LLM_MODELS: json(
    z
      .array(listedModel, 'is not a list of models')
      .min(1, 'is an empty list')
      .refine(hasEachNameOnce, 'has two models of one name')
      .refine(
        (models) => models.every(({ name }) => name !== 'search'),
        'has a model named search',
      ),
    Object.keys(listedModel.shape),
  ).optional(),
};
const modelShape = z.object(modelSettings);
type ModelSettings = z.infer<typeof modelShape>;

/** What says something of the one model of LLM_*, and nothing of those in LLM_MODELS. */
const onlyOfOne = ['LLM_PROFILE', 'LLM_REQUESTS_PER_MINUTE', 'LLM_TOKENS_PER_MINUTE'];

/** Rules over several values: a key for each model, nothing that has no effect. */
export function modelContradictions(given: Record<string, string>, env: Record<string, unknown>) {
  if (given['LLM_MODELS'] === undefined)
    return given['LLM_API_KEY'] === undefined
      ? [{ name: 'LLM_API_KEY', problem: 'is missing (or set LLM_MODELS)' }]
      : [];
  const listed = modelSettings.LLM_MODELS.safeParse(given['LLM_MODELS']).data ?? [];
  // What stands in LLM_MODELS is never told: a key itself may be there by mistake.
  const keyless = listed.flatMap(({ keyName }, i) =>
    keyOf(env, keyName) === undefined
      ? [{ name: 'LLM_MODELS', problem: `[${i}].keyName names no secret that is set` }]
      : [],
  );
  const idle = onlyOfOne
    .filter((name) => given[name] !== undefined)
    .map((name) => ({ name, problem: 'has no effect beside LLM_MODELS: say it there' }));
  return [...keyless, ...idle];
}

function keyOf(env: Record<string, unknown>, name: string): string | undefined {
  const value = env[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

const profilesByHost: Record<string, Profile> = {
  'api.openai.com': 'openai',
  'api.groq.com': 'groq',
};
const profileOf = (baseUrl: string): Profile =>
  profilesByHost[new URL(baseUrl).hostname] ?? 'plain';

/** The models in the order they are asked; one called `llm` where LLM_MODELS is not set. */
export function modelsOf(
  settings: ModelSettings,
  env: Record<string, unknown>,
): [ModelConfig, ...ModelConfig[]] {
  const listed = settings.LLM_MODELS?.map(({ keyName, ...model }) => ({
    ...model,
    apiKey: keyOf(env, keyName) ?? '',
  }));
  const single = {
    name: 'llm',
    apiKey: settings.LLM_API_KEY ?? '',
    baseUrl: settings.LLM_BASE_URL,
    model: settings.LLM_MODEL,
    profile: settings.LLM_PROFILE,
    requestsPerMinute: settings.LLM_REQUESTS_PER_MINUTE,
    tokensPerMinute: settings.LLM_TOKENS_PER_MINUTE,
  };
  const [first = single, ...others] = listed ?? [];
  const complete = (model: Omit<ListedModel, 'keyName'> & { apiKey: string }): ModelConfig => ({
    name: model.name,
    apiKey: model.apiKey,
    baseUrl: withoutEndSlash(model.baseUrl),
    model: model.model,
    profile: model.profile ?? profileOf(model.baseUrl),
    requestsPerMinute: model.requestsPerMinute,
    tokensPerMinute: model.tokensPerMinute,
  });
  return [complete(first), ...others.map(complete)];
}
