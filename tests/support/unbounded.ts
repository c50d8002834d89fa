const many = '1000000';

/** Settings under which no bound of a user is met: for tests that are about something else. */
export const unbounded = {
  RETRIES_PER_JOB: many,
  FREE_ERROR_ROWS_PER_DAY: many,
  UNLIMITED_ROWS_PER_DAY: many,
  OPEN_JOBS_PER_USER: many,
  UPLOADS_PER_USER: many,
  EVENT_STREAMS_PER_USER: many,
};
