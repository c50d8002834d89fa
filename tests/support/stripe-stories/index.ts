import * as dashboard from './dashboard-stories.ts';
import * as outside from './outside-stories.ts';
import * as plans from './plan-stories.ts';
import type { Cast, Story } from './story.ts';

/**
 * Every story by its name: what each tells stands at its definition. Play one step by step, so that the
 * API shows what Stripe's would at that moment, or plant `story.objects` first and deliver the events in
 * any order:
 *
 *     const story = stories.dearerAddOn({ at: standIn.now() - 35 * DAY, prices, tag: 'a', userId });
 *     for (const step of story.steps) standIn.tell(step);
 */
export const stories: Record<string, (cast?: Cast) => Story> = {
  ...plans,
  ...dashboard,
  ...outside,
};

export { badBodies } from './bad-input.ts';
export { beforeBasil } from './before-basil.ts';
export { event, Story } from './story.ts';
export type { Cast, Kinds, Price, Step, StoryEvent, ThinEvent } from './story.ts';
