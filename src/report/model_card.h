/* The model card of an artifact as the Hugging Face Hub reads it: YAML front matter (base_model, quantized_by, tags,
 * model-index) and a page of what the artifact records of itself and what a report.json measured. What nobody recorded
 * is UNKNOWN, never guessed.
 *   qz_model_card(&(qz_card_facts){…}, &out); out is the whole file.
 * Source: checklist C-72, C-183, C-184; the Hub's card metadata (model cards, model-index). */
#ifndef QZ_REPORT_MODEL_CARD_H
#define QZ_REPORT_MODEL_CARD_H
#include "base/json.h"
#include "base/str.h"

typedef struct {
    const char *name;               /* of the folder or file */
    const char *container, *encoding, *contract; /* of the opened model; NULL: nothing here opens it */
    const char *base, *license;     /* as the user gave them; NULL: not given */
    uint64_t bytes;                 /* of its files; 0: not known */
    const json_t *manifest;         /* NULL: none */
    const char *recipe, *source_sha, *calibration_sha, *lora_base, *accepted; /* what it records; NULL: nothing */
    const json_t *report, *row;     /* a report.json and its row of this artifact; NULL: none */
} qz_card_facts;
void qz_model_card(const qz_card_facts *f, qz_str *out);
#endif
