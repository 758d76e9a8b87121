/* Types of single tensors in a GGUF file, as llama-quantize's options say them: --pure, --leave-output-tensor,
 * --output-tensor-type T, --token-embedding-type T, --tensor-type REGEX=T (searched in GGUF names, the first that
 * matches decides; type names of GGUF in any case). qz_tensor_types_parse(&spec, &wishes, &arena, err). Source:
 * formats/gguf-mixes.md section 4. */
#ifndef QZ_ARTIFACTS_TENSOR_TYPES_H
#define QZ_ARTIFACTS_TENSOR_TYPES_H
#include "artifacts/artifact.h"
#include "artifacts/gguf_mix.h"
#include "base/arena.h"
#include "base/str.h"

typedef struct {
    bool pure, leave_output;
    const char *output, *embedding;       /* NULL: by the rules */
    const char *const *rules; size_t n;
} qz_tensor_types;
/* Fills spec->mix. QZ_EUSAGE: another scheme than gguf, a level of floats, an unknown type, or one that
 * nothing here encodes. */
qz_status qz_tensor_types_parse(qz_scheme_spec *spec, const qz_tensor_types *w, qz_arena *arena, qz_error *err);
/* Does the rule match the GGUF name? */
qz_status qz_mix_rule_match(const qz_mix_rule *r, const char *name, bool *yes, qz_error *err);
/* Every rule matches one of the tensors: QZ_EUSAGE names the one that does not. */
qz_status qz_mix_rules_check(const qz_mix_options *mix, const qz_mix_tensor *tensors, size_t n, qz_error *err);
/* Lines for rules, or parts of them, that gave no tensor its type: norms and other vectors that nobody codes,
 * tensors that an earlier rule or an option of their own has. */
qz_status qz_mix_rules_note(qz_artifact_plan *p, const qz_mix_tensor *tensors, const qz_mix_choice *choices, size_t n,
                            qz_arena *arena, qz_error *err);
#endif
