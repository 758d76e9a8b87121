#include "pipeline/served.h"
#include "artifacts/open.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/size.h"
#include "report/table_print.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Above these a run is not that of the artifact: rounding activations to 8 bits costs 0.001 nats and less, another
 * model of the same tokens costs whole nats; near ties flip top tokens and a few answers. A
 * bound says little where most of our probability lies outside what the server tells. */
#define MOST_KL 0.05
#define MOST_OUTSIDE 0.2
#define LEAST_SAME 0.8
#define MOST_PPL 0.02
enum { PROBE_TOKENS = 256 };

const char *qz_serving_done(const qz_serving *s, char kind, size_t i) {
    char key[32];
    (void)snprintf(key, sizeof key, "%c %zu ", kind, i);
    for (size_t k = 0; k < s->journal.n; k++)
        if (qz_str_starts(s->journal.lines[k], key)) return s->journal.lines[k] + strlen(key);
    return NULL;
}

/* A server says what it serves, and may be wrong: its tokens are asked for. */
static qz_status probe_tokens(qz_serving *s, qz_error *err) {
    static const char *const texts[] = {"Hello world", "na\xc3\xafve caf\xc3\xa9 1,234.50",
                                        "  two  blanks\n\tand a tab",
                                        "def f(x): return x != 0  # \xe4\xbb\xb7\xe6\xa0\xbc"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint32_t theirs[PROBE_TOKENS];
        qz_ids ours = {0};
        size_t n = 0;
        bool told = false;
        qz_status st = qz_tokenizer_encode(s->model.tokenizer, texts[i], strlen(texts[i]),
                                           QZ_ENCODE_PARSE_SPECIAL | QZ_ENCODE_SPECIAL, &ours, err);
        if (st == QZ_OK) st = qz_openai_tokenize(&s->at, texts[i], theirs, PROBE_TOKENS, &n, &told, err);
        const bool same = n == ours.n && memcmp(theirs, ours.ids, n * sizeof *theirs) == 0;
        if (st == QZ_OK && told && !same)
            st = qz_fail(err, QZ_EUSAGE,
                         "the server at '%s' serves another model than '%s': it cuts \"%.20s\" into %zu tokens, the "
                         "first id %u; expected %zu, the first id %u",
                         qz_http_url(s->at.http), s->r->operands[0], texts[i], n, n ? theirs[0] : 0, ours.n,
                         ours.n ? ours.ids[0] : 0);
        qz_ids_release(&ours);
        QZ_TRY(st);
        s->out.probes += told;
    }
    return QZ_OK;
}

/* |SHA-256 of what a file holds; "" for none. */
static qz_status add_file(qz_str *what, const char *path, qz_error *err) {
    char hex[65] = "";
    if (path) QZ_TRY(qz_sha256_file_hex(path, hex, err));
    qz_str_printf(what, "|%s", hex);
    return QZ_OK;
}

/* The journal belongs to one question: artifact, server's model, what stands in text and tasks, options. */
static qz_status open_journal(qz_serving *s, qz_error *err) {
    const qz_request *r = s->r;
    char key[65];
    qz_str what = {0};
    s->journal.fd = -1;
    if (r->journal == NULL)
        return r->resume ? qz_fail(err, QZ_EUSAGE, "--resume continues from a journal: give --journal FILE") : QZ_OK;
    if (!r->resume && !r->force && qz_path_exists(r->journal))
        return qz_fail(err, QZ_EUSAGE, "journal exists: file '%s'; continue with --resume, or begin anew with --force",
                       r->journal);
    QZ_TRY(qz_source_hash(s->run, &s->model, err));
    if (r->against) QZ_TRY(qz_source_hash(s->run, &s->source, err));
    qz_str_printf(&what, "%s|%s|%s|%s|%llu|%llu|%llu|%llu|%llu", s->model.sha_hex, s->at.model,
                  r->against ? s->source.sha_hex : "", r->protocol ? r->protocol : "", (unsigned long long)r->window,
                  (unsigned long long)r->windows, (unsigned long long)r->positions, (unsigned long long)r->max_new,
                  (unsigned long long)r->max_tasks);
    qz_status st = add_file(&what, r->text, err);
    if (st == QZ_OK) st = add_file(&what, r->tasks, err);
    if (st == QZ_OK && what.failed) st = qz_fail(err, QZ_EMEMORY, "out of memory");
    if (st == QZ_OK) qz_sha256_bytes_hex(what.ptr, what.len, key);
    qz_str_release(&what);
    QZ_TRY(st);
    QZ_TRY(qz_journal_open(&s->journal, r->journal, !r->resume, err));
    if (s->journal.n == 0) return qz_journal_add(&s->journal, err, "quantz served %s", key);
    if (strncmp(s->journal.lines[0], "quantz served ", 14) == 0 && strcmp(s->journal.lines[0] + 14, key) == 0)
        return QZ_OK;
    return qz_fail(err, QZ_EUSAGE, "journal '%s' is of another run (artifact, served model, text, tasks or options "
                                   "differ): begin anew with --force", r->journal);
}

static void judge(qz_serving *s) {
    qz_served *o = &s->out;
    const char *name = o->engine[0] ? o->engine : s->r->engine ? s->r->engine : "";
    qz_str why = {0};
    o->verified = *name != 0;
    if (*name == 0) qz_str_puts(&why, "the server does not tell its engine: name it with --engine; ");
    if (o->positions) {
        const bool near = o->kl <= MOST_KL && o->outside <= MOST_OUTSIDE;
        qz_str_printf(&why, "%zu positions: KL to our run at least %.6f, %.2f %% of our probability not told; ",
                      o->positions, o->kl, 100 * o->outside);
        o->verified = o->verified && near;
    }
    if (o->tasks) {
        qz_str_printf(&why, "%zu of %zu answers as ours; ", o->same, o->tasks);
        o->verified = o->verified && (double)o->same >= LEAST_SAME * (double)o->tasks;
    }
    if (o->has_ppl) {
        qz_str_printf(&why, "perplexity %+.3f %% of ours; ", 100 * (o->ppl_served / o->ppl_ours - 1));
        o->verified = o->verified && fabs(o->ppl_served / o->ppl_ours - 1) <= MOST_PPL;
    }
    if (!o->positions && !o->tasks && !o->has_ppl) {
        qz_str_puts(&why, "speed alone verifies nothing; ");
        o->verified = false;
    }
    if (why.len > 2) why.ptr[why.len - 2] = 0;
    (void)snprintf(o->verified_with, sizeof o->verified_with, "%s%s%s%s%s", name, o->version[0] ? " " : "", o->version,
                   *name ? ": " : "", why.ptr ? why.ptr : "");
    qz_str_release(&why);
}

/* provenance.verified_with of the manifest: what `check --engine` looks for (CHK-PAIR). */
static qz_status store(qz_serving *s, qz_error *err) {
    json_t *root = NULL, *p = NULL;
    char *path = qz_manifest_path(s->r->operands[0]);
    qz_status st = path ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
    if (st == QZ_OK && !qz_path_exists(path))
        st = qz_fail(err, QZ_EUSAGE, "--store writes into the artifact's manifest, and '%s' is not there", path);
    if (st == QZ_OK) st = qz_json_load(path, 64 << 20, &root, err);
    if (st == QZ_OK) p = json_deep_copy(json_object_get(root, "provenance"));
    if (st == QZ_OK && p == NULL) p = json_object();
    if (st == QZ_OK && json_object_set_new(p, "verified_with", json_string(s->out.verified_with)) != 0)
        st = qz_fail(err, QZ_EFORMAT, "'%s': provenance: expected an object", path);
    if (st == QZ_OK) st = qz_manifest_add(path, "provenance", p, err);
    s->out.stored = st == QZ_OK;
    json_decref(p);
    json_decref(root);
    qz_free(path);
    return st;
}

static qz_status ask_server(qz_serving *s, qz_http *http, qz_error *err) {
    QZ_TRY(qz_openai_probe(http, &s->at, err));
    s->out.how = qz_served_kind_name(s->at.kind);
    (void)snprintf(s->out.model, sizeof s->out.model, "%s", s->at.model);
    (void)snprintf(s->out.engine, sizeof s->out.engine, "%s", s->at.engine);
    (void)snprintf(s->out.version, sizeof s->out.version, "%s", s->at.version);
    QZ_TRY(probe_tokens(s, err));
    QZ_TRY(open_journal(s, err));
    qz_status st = s->r->text ? qz_serving_text(s, err) : QZ_OK;
    if (st == QZ_OK && s->r->tasks) st = qz_serving_tasks(s, err);
    if (st == QZ_OK && s->r->concurrency) st = qz_serving_speed(s, err);
    if (s->r->journal) qz_journal_close(&s->journal, st == QZ_OK);
    return st;
}

static qz_status open_models(qz_serving *s, qz_error *err) {
    const qz_engine_options exact = {.arith = QZ_ARITH_EXACT};
    QZ_TRY(qz_source_open(s->run, s->r->operands[0], &s->model, err));
    if (s->model.tokenizer == NULL)
        return qz_fail(err, QZ_EUSAGE, "'%s' has no tokenizer: a server speaks in text", s->r->operands[0]);
    QZ_TRY(qz_engine_open(s->run, s->model.model, &exact, &s->engine, err));
    if (s->r->against == NULL) return QZ_OK;
    QZ_TRY(qz_source_open(s->run, s->r->against, &s->source, err));
    return qz_engine_open(s->run, s->source.model, &exact, &s->source_engine, err);
}

/* Of the --runtime value what is behind its kind; NULL with an error for another kind. */
static const char *behind(const char *value, const char *kind) {
    const size_t n = strlen(kind);
    return strncmp(value, kind, n) == 0 && value[n] == ':' && value[n + 1] ? value + n + 1 : NULL;
}

static qz_status measure(qz_serving *s, qz_error *err) {
    const char *url = behind(s->r->runtime, "openai"), *program = behind(s->r->runtime, "llama-perplexity");
    const qz_http_options o = {url, s->r->runtime_host, s->r->runtime_seconds, 0};
    qz_http *http = NULL;
    char host[256];
    if (url == NULL && program == NULL)
        return qz_fail(err, QZ_EUSAGE, "bad value '%s' for --runtime: expected openai:http://127.0.0.1:PORT/v1 or "
                                       "llama-perplexity:PATH", s->r->runtime);
    if (s->r->n_operands != 1 || s->r->others.n)
        return qz_fail(err, QZ_EUSAGE, "--runtime serves one artifact: expected 1 operand and no --others, found %zu",
                       s->r->n_operands);
    if (url) QZ_TRY(qz_http_address(&o, host, err));
    if (s->r->store && !qz_path_exists(s->r->operands[0])) return qz_path_missing(s->r->operands[0], err);
    QZ_TRY(open_models(s, err));
    if (program) return qz_serving_program(s, program, err);
    qz_status st = qz_http_open(&o, &http, err);
    if (st == QZ_OK) st = ask_server(s, http, err);
    qz_http_close(http);
    return st;
}

qz_status qz_run_served(qz_run *run, const qz_request *r, qz_error *err) {
    qz_serving *s = qz_calloc_array(1, sizeof *s);
    qz_str text = {0};
    if (s == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    s->run = run;
    s->r = r;
    s->journal.fd = -1;
    s->late = -1;
    qz_status st = measure(s, err);
    (void)snprintf(s->out.artifact, sizeof s->out.artifact, "%s", r->n_operands ? r->operands[0] : "");
    (void)snprintf(s->out.runtime, sizeof s->out.runtime, "%s", r->runtime);
    if (st == QZ_OK) judge(s);
    if (st == QZ_OK && r->store && s->out.verified) st = store(s, err);
    if (st == QZ_OK && r->json) st = qz_served_json(&s->out, &text, err);
    else if (st == QZ_OK) qz_served_print(&s->out, &text);
    if (st == QZ_OK) st = r->json ? qz_show(&text, err) : qz_show_text(&text, err);
    if (st == QZ_OK && !s->out.verified && (s->out.positions || s->out.tasks || s->out.has_ppl))
        st = qz_fail(err, QZ_ECHECK, "'%s' is not verified with this runtime: %s", r->operands[0],
                     s->out.verified_with);
    qz_str_release(&text);
    qz_engine_free(s->source_engine);
    qz_engine_free(s->engine);
    qz_source_release(&s->source);
    qz_source_release(&s->model);
    qz_free(s);
    return st;
}
