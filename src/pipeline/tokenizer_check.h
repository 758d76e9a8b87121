/* verify --tokenizer: the source's tokenizer against an artifact's, by behaviour (text/tokenizer_proof.h). */
#ifndef QZ_PIPELINE_TOKENIZER_CHECK_H
#define QZ_PIPELINE_TOKENIZER_CHECK_H
#include "base/table.h"
#include "produce/request.h"

/* r->operands[0] against r->source (a GGUF file that quantz wrote holds its source's pipeline itself). Rows: as quantz
 * reads the artifact; a GGUF file also by its keys alone, which is what other runtimes read. The evidence goes to
 * r->output, or into the artifact's manifest if it has one. QZ_ECHECK where ids differ for another reason than what
 * GGUF cannot store: the text names the smallest string. */
qz_status qz_tokenizer_check(const qz_request *r, qz_arena *arena, qz_table *t, qz_error *err);
#endif
