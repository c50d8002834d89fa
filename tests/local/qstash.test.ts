// The suites lie beside the stand-in, since one file may not hold them all; each tests the real SDK
// against a stand-in of its own.
import '../../local/qstash/spec/control.ts';
import '../../local/qstash/spec/delivery.ts';
import '../../local/qstash/spec/failure.ts';
import '../../local/qstash/spec/faults.ts';
import '../../local/qstash/spec/refusal.ts';
