/** Text made safe for HTML. */
export const escapeHtml = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');

/** A small, plain page. `body` is HTML. */
export const htmlPage = (title: string, body: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 26rem; margin: 12vh auto; padding: 0 1rem; }
h1 { font-size: 1.25rem; margin: 0; }
.note { opacity: .65; font-size: .85rem; margin: .25rem 0 1.5rem; }
table { width: 100%; border-collapse: collapse; margin-bottom: 1.5rem; }
td { padding: .4rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
td:last-child { text-align: right; font-variant-numeric: tabular-nums; }
tr.total td { font-weight: 600; border: 0; }
label { display: block; font-size: .85rem; margin-bottom: 1rem; }
input, select { width: 100%; box-sizing: border-box; padding: .5rem; font: inherit; margin-top: .25rem; }
button { width: 100%; padding: .65rem; margin-bottom: .5rem; font: inherit; border-radius: .4rem; cursor: pointer; border: 1px solid color-mix(in srgb, currentColor 30%, transparent); background: none; color: inherit; }
button.main { background: #4f46e5; border-color: #4f46e5; color: #fff; font-weight: 600; }
.alert { padding: .6rem .8rem; border-radius: .4rem; background: #b91c1c; color: #fff; margin-bottom: 1rem; }
a { color: inherit; }
</style>
</head>
<body>
${body}
</body>
</html>
`;
