/* Settings of single modules: rules given by the user (GPTQ's `dynamic`; the lists of modules that other folders leave
 * float), and the patterns of files.
 * Write: qz_module_rules_parse(&spec, texts, n, arena, err) once behind qz_scheme_parse; then, wherever a module's own
 * numbers are needed, qz_module_setting_of(&spec, "model.layers.0.mlp.down_proj", &s, err). Without rules that is the
 * scheme's own setting.
 * Read: qz_module_match(pattern, name, "file 'config.json'", &yes, err): Python regular expressions matched from the
 * start of a module's full name. Patterns come from files: the matcher has limits on steps and depth.
 * A rule's text is PATTERN=SETTINGS. PATTERN: one part or several of the name, with * ? [0-3] {q,k,v} ("down_proj",
 * "layers.[0-3].mlp", "layers.{0,31}"), or "re:" and a regular expression for the name from its start. SETTINGS:
 * bits:N, group_size:N, sym, asym, act_order, no_act_order with commas; or keep; or a level of the scheme (ct:
 * "mlp=nvfp4a16"). The first rule that matches decides.
 * Ownership: everything lives in the arena. Errors: QZ_EUSAGE naming the rule.
 * Source: formats/hf-gptq.md section 6; GPTQModel 7.7.0 and vLLM 0.33 read the keys that qz_module_rules_json makes. */
#ifndef QZ_ARTIFACTS_MODULE_RULES_H
#define QZ_ARTIFACTS_MODULE_RULES_H
#include <stdbool.h>
#include "artifacts/artifact.h"
#include <jansson.h>
#include "codecs/int_group.h"

enum { QZ_AS_SCHEME = -2 };
struct qz_module_rule {
    const char *text;        /* as given */
    const char *pattern;     /* regular expression, from the start of the name */
    bool keep;
    const qz_scheme_spec *as; /* another level of the scheme, NULL: none */
    int bits, group_size, sym, act_order; /* QZ_AS_SCHEME, or the rule's own */
};

/* Fills spec->modules; a rule that makes a module asymmetric turns the whole file to v2 unless +v1 was asked for. */
qz_status qz_module_rules_parse(qz_scheme_spec *spec, const char *const *texts, size_t n, qz_arena *arena,
                                qz_error *err);
/* name: of the module or of its weight. QZ_EUNSUPPORTED: the matcher's limits were reached. */
qz_status qz_module_setting_of(const qz_scheme_spec *spec, const char *name, qz_code_setting *out, qz_error *err);
/* The rule that decided, NULL: none. */
const qz_module_rule *qz_module_rule_of(const qz_code_setting *s);
/* Can the scheme's files hold the rule? text: PATTERN=SETTINGS. */
bool qz_module_rule_fits(const qz_scheme_spec *spec, const char *text);
/* Of modules that no rule is about. */
qz_code_setting qz_module_usual(const qz_scheme_spec *spec);
bool qz_module_setting_equal(const qz_code_setting *a, const qz_code_setting *b);
/* "8 bits, groups of 32, symmetric, act_order"; "16 bits" */
const char *qz_module_setting_text(const qz_code_setting *s, char buf[64]);
/* Every rule decides something; parts of a layer that engines load as one (q k v, gate up) agree; something is left to
 * quantize. QZ_EUSAGE or QZ_EUNSUPPORTED. */
qz_status qz_module_rules_check(const qz_scheme_spec *spec, const qz_model *m, qz_error *err);
/* One note for each rule to the plan. */
qz_status qz_module_rules_note(qz_artifact_plan *p, qz_arena *arena, qz_error *err);
/* The object `dynamic` of a plan that was checked; NULL = out of memory. Engines look fused layers up under their own
 * names (qkv_proj, gate_up_proj): keys for those come first where the rules would miss them. */
json_t *qz_module_rules_json(const qz_artifact_plan *p);

/* QZ_EFORMAT: not a pattern; QZ_EUNSUPPORTED: the limits were reached. where is for the text. */
qz_status qz_module_match(const char *pattern, const char *module, const char *where, bool *yes, qz_error *err);
/* Does a target of compressed-tensors name the module: by its full name or a pattern ("re:…"), or (classes) as every
 * linear? */
qz_status qz_module_target(const char *target, const char *module, bool classes, const char *where, bool *yes,
                           qz_error *err);
#endif
