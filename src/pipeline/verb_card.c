#include "artifacts/open.h"
#include "artifacts/provenance.h"
#include "artifacts/source.h"
#include "base/io.h"
#include "base/size.h"
#include "pipeline/verbs.h"
#include "produce/outputs.h"
#include "report/model_card.h"
#include "report/table_print.h"
#include <string.h>

enum { JSON_LIMIT = 64 << 20 };

/* The row of the report that is of this artifact, by its name. */
static qz_status find_row(const char *path, json_t *report, const json_t **row, qz_error *err) {
    const char *base = qz_path_base(path);
    const json_t *rows = json_object_get(report, "rows"), *one;
    size_t i;
    json_array_foreach(rows, i, one) {
        const char *name = json_string_value(json_object_get(one, "artifact"));
        if (name && strcmp(qz_path_base(name), base) == 0) return *row = one, QZ_OK;
    }
    return qz_fail(err, QZ_EUSAGE,
                   "the report has no row of '%s': give the report.json of the release that measured it", base);
}

/* Of the files that the manifest lists. */
static uint64_t listed_bytes(const json_t *manifest) {
    const json_t *files = json_object_get(manifest, "files"), *one;
    uint64_t sum = 0;
    size_t i;
    json_array_foreach(files, i, one) {
        const json_int_t n = json_integer_value(json_object_get(one, "bytes"));
        if (n > 0) sum += (uint64_t)n;
    }
    return sum;
}

static qz_status emit(qz_run *run, const qz_request *r, qz_str *card, qz_error *err) {
    if (card->failed) return qz_fail(err, QZ_EMEMORY, "out of memory");
    if (r->output == NULL) return qz_show(card, err);
    qz_outputs o = {.run = run};
    qz_status st = qz_outputs_claim(&o, r, r->output, QZ_OUTPUT_FILE, err);
    if (st == QZ_OK) st = qz_write_file(r->output, card->ptr, card->len, err);
    qz_outputs_end(&o, st);
    return st;
}

static qz_status make(qz_run *run, const qz_request *r, json_t **manifest, json_t **report, qz_error *err) {
    const char *path = r->operands[0];
    qz_source s = {0};
    qz_arena a = {0};
    qz_str card = {0};
    qz_error why = {0};
    char *at = qz_manifest_path(path);
    qz_status st = at ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
    if (st == QZ_OK && qz_path_exists(at)) st = qz_json_load(at, JSON_LIMIT, manifest, err);
    if (st == QZ_OK && r->report) st = qz_json_load(r->report, JSON_LIMIT, report, err);
    qz_card_facts f = {.name = qz_path_base(path), .base = r->base, .license = r->license, .manifest = *manifest,
                       .report = *report};
    if (st == QZ_OK && r->report) st = find_row(path, *report, &f.row, err);
    run->accept = "*";
    const qz_status opened = st == QZ_OK ? qz_source_open(run, path, &s, &why) : st;
    if (opened == QZ_OK)
        f.container = s.model->container, f.encoding = s.model->encoding, f.contract = s.model->contract;
    else if (st == QZ_OK && *manifest == NULL) st = (*err = why, opened); /* nothing says what it is */
    f.recipe = qz_provenance_in(path, QZ_RECIPE_KEY, &a);
    f.source_sha = qz_provenance_in(path, QZ_SOURCE_KEY, &a);
    f.calibration_sha = qz_provenance_in(path, "calibration_sha256", &a);
    f.lora_base = qz_provenance_in(path, "lora_trained_on_bf16_base", &a);
    f.accepted = qz_accepted_in(path, &a);
    f.bytes = listed_bytes(*manifest);
    if (st == QZ_OK && !qz_path_is_dir(path)) st = qz_file_size(path, &f.bytes, err);
    if (st == QZ_OK) qz_model_card(&f, &card);
    if (st == QZ_OK) st = emit(run, r, &card, err);
    qz_str_release(&card);
    qz_source_release(&s);
    qz_arena_release(&a);
    qz_free(at);
    return st;
}

qz_status qz_run_card_verb(qz_run *run, const qz_request *r, qz_error *err) {
    json_t *manifest = NULL, *report = NULL;
    const qz_status st = make(run, r, &manifest, &report, err);
    json_decref(manifest);
    json_decref(report);
    return st;
}
