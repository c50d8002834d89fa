async function post<T>(url: string): Promise<T> {
  const answer = await fetch(url, { method: 'POST' });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`POST ${url} → ${answer.status} ${text.slice(0, 300)}`);
  return JSON.parse(text) as T;
}

/** Has the Stripe stand-in send every webhook again, and waits for the last. Gives their number. */
export async function resendWebhooks(stripe: string): Promise<number> {
  const { deliveries } = await post<{ deliveries: number }>(`${stripe}/_local/redeliver-all`);
  await post(`${stripe}/_local/drain`);
  return deliveries;
}
