// The suites lie beside the stand-in, since one file may not hold them all; each tests the real SDK
// against a stand-in of its own.
import './qstash/batch.ts';
import './qstash/bulk-cancel.ts';
import './qstash/control.ts';
import './qstash/delivery.ts';
import './qstash/documented.ts';
import './qstash/failure.ts';
import './qstash/faults.ts';
import './qstash/flow-control.ts';
import './qstash/limits.ts';
import './qstash/redact.ts';
import './qstash/refusal.ts';
