/* llama.cpp's own llama-perplexity on the artifact's GGUF file and the text, against our figure of the same windows. */
#include "base/io.h"
#include "base/size.h"
#include "eval/score.h"
#include "pipeline/served.h"
#include "remote/program.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUTPUT = 16 << 20 };

/* "Final estimate: PPL = 12.3456 +/- 0.12345", and "[1]9.87,[2]8.76," before it: the running mean after each chunk. */
static qz_status read_output(const char *program, const char *text, size_t chunks, qz_served *o, qz_error *err) {
    static const char final[] = "Final estimate: PPL = ";
    const char *at = strstr(text, final);
    size_t seen = 0;
    double last = 0;
    char *end;
    for (const char *p = strstr(text, "[1]"); p && *p == '['; p = *end == ',' ? end + 1 : "") {
        const unsigned long no = strtoul(p + 1, &end, 10);
        if (*end != ']' || no != seen + 1) break;
        last = strtod(end + 1, &end);
        seen = no;
        if (end[0] == ',' && end[1] == '\n') break; /* a line of the log between two chunks */
    }
    if (at == NULL && seen != chunks) /* with all chunks its last words are missing: its log is a thread of its own */
        return qz_fail(err, QZ_EFORMAT, "'%s' printed no 'Final estimate: PPL = …': is it llama-perplexity?", program);
    o->ppl_served = last;
    o->ppl_se = NAN;
    if (at) {
        o->ppl_served = strtod(at + sizeof final - 1, &end);
        while (*end == ' ' || *end == '+' || *end == '/' || *end == '-') end++;
        o->ppl_se = strtod(end, NULL);
    }
    if (!(o->ppl_served > 0) || !isfinite(o->ppl_served))
        return qz_fail(err, QZ_EFORMAT, "'%s' printed a perplexity that is no number above 0", program);
    if (seen && seen != chunks)
        return qz_fail(err, QZ_EUSAGE, "'%s' measured %zu windows, %zu are here: its tokens of the text are others",
                       program, seen, chunks);
    o->windows = chunks;
    return QZ_OK;
}

/* It reads the text of special tokens as plain text. */
static qz_status no_specials(const qz_serving *s, qz_error *err) {
    char *text = NULL;
    size_t n = 0;
    qz_ids plain = {0}, parsed = {0};
    QZ_TRY(qz_read_file(s->r->text, 1 << 30, &text, &n, err));
    qz_status st = qz_tokenizer_encode(s->model.tokenizer, text, n, 0, &plain, err);
    if (st == QZ_OK) st = qz_tokenizer_encode(s->model.tokenizer, text, n, QZ_ENCODE_PARSE_SPECIAL, &parsed, err);
    if (st == QZ_OK && plain.n != parsed.n)
        st = qz_fail(err, QZ_EUSAGE, "'%s' holds special tokens of '%s' in words, which llama-perplexity reads as "
                                     "plain text: %zu tokens there, %zu here; give a text without them",
                     s->r->text, s->r->operands[0], plain.n, parsed.n);
    qz_ids_release(&plain);
    qz_ids_release(&parsed);
    qz_free(text);
    return st;
}

static qz_status run_it(qz_serving *s, const char *program, const qz_eval_set *set, qz_error *err) {
    char window[24], chunks[24], threads[24];
    const double seconds = s->r->runtime_seconds > 0 ? s->r->runtime_seconds : 600;
    qz_str said = {0};
    (void)snprintf(window, sizeof window, "%llu", (unsigned long long)s->r->window);
    (void)snprintf(chunks, sizeof chunks, "%zu", set->n);
    (void)snprintf(threads, sizeof threads, "%zu", qz_pool_size(s->run->pool));
    char *const argv[] = {(char *)(uintptr_t)program, "-m", s->r->operands[0], "-f", (char *)(uintptr_t)s->r->text,
                          "-c", window, "--chunks", chunks, "-t", threads, NULL};
    qz_status st = qz_program_run(argv, &(qz_program_bounds){seconds, OUTPUT}, &said, err);
    qz_str_putc(&said, 0);
    if (st == QZ_OK && said.failed) st = qz_fail(err, QZ_EMEMORY, "out of memory");
    if (st == QZ_OK) st = read_output(program, said.ptr, set->n, &s->out, err);
    const char *build = st == QZ_OK ? strstr(said.ptr, "build: ") : NULL;
    if (build) (void)snprintf(s->out.version, sizeof s->out.version, "%.*s", (int)strcspn(build, "\n") < 60 ?
                              (int)strcspn(build, "\n") : 60, build);
    qz_str_release(&said);
    return st;
}

static qz_status ours(qz_serving *s, const qz_eval_set *set, qz_error *err) {
    qz_engine *fast = NULL;
    qz_score scores[2] = {0};
    QZ_TRY(qz_engine_open(s->run, s->model.model, &(qz_engine_options){.arith = QZ_ARITH_RUNTIME}, &fast, err));
    qz_engine *const engines[] = {s->engine, fast};
    const qz_score_models all = {NULL, engines, 2};
    const qz_status st = qz_score_run(s->run, &all, set, scores, NULL, err);
    s->out.ppl_ours = scores[0].ppl.value;
    s->out.ppl_runtime = scores[1].ppl.value;
    s->out.has_ppl = st == QZ_OK;
    qz_score_release(&scores[0]);
    qz_score_release(&scores[1]);
    qz_engine_free(fast);
    return st;
}

qz_status qz_serving_program(qz_serving *s, const char *program, qz_error *err) {
    qz_dataset d = {0};
    qz_eval_set set = {0};
    if (s->r->text == NULL || s->r->tasks || s->r->concurrency || s->r->against)
        return qz_fail(err, QZ_EUSAGE, "llama-perplexity measures a text and nothing else: give --text FILE, without "
                                       "--tasks, --concurrency and --against");
    if (qz_path_is_dir(s->r->operands[0]) || !qz_str_starts(s->model.model->container, "gguf"))
        return qz_fail(err, QZ_EUSAGE, "llama-perplexity reads GGUF files: '%s' is none", s->r->operands[0]);
    qz_status st = qz_dataset_load(s->r->text, s->model.tokenizer, &(qz_dataset_options){0}, &d, err);
    qz_eval_options o = qz_eval_asked(s->r, &s->model);
    o.protocol = "half";
    if (st == QZ_OK && (d.kind != QZ_DATA_TEXT_FILE || s->r->protocol))
        st = qz_fail(err, QZ_EUSAGE, "llama-perplexity reads a text file as it is and has one protocol, half: give a "
                                     "--text that is no JSONL, and no --protocol");
    if (st == QZ_OK) st = qz_eval_set_build(s->model.tokenizer, &d, &o, &set, err);
    if (st == QZ_OK) st = no_specials(s, err);
    if (st == QZ_OK) st = run_it(s, program, &set, err);
    if (st == QZ_OK) st = ours(s, &set, err);
    if (st == QZ_OK) {
        memcpy(s->out.set, set.describe, sizeof s->out.set);
        memcpy(s->out.token_hash, set.token_hash, sizeof s->out.token_hash);
        (void)snprintf(s->out.engine, sizeof s->out.engine, "llama.cpp");
    }
    qz_eval_set_release(&set);
    qz_dataset_release(&d);
    return st;
}
