#include "artifacts/item_journal.h"
#include "base/size.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "quantz-items 4 "

/* Everything that decides the bytes, as far as the plan knows it. */
static void plan_hash(const qz_artifact_plan *p, char hex[65]) {
    qz_sha256 h = {0};
    char line[256];
    qz_sha256_update(&h, p->spec.name, strlen(p->spec.name));
    for (size_t i = 0; i < p->n_items; i++) {
        const qz_artifact_item *it = &p->items[i];
        int n = snprintf(line, sizeof line, "\n%.150s %d %zu %llu %llu", it->out_name, (int)it->type, it->file,
                         (unsigned long long)it->offset, (unsigned long long)it->bytes);
        qz_sha256_update(&h, line, (size_t)n);
    }
    for (size_t i = 0; i < p->n_files; i++)
        if (p->files[i].text) qz_sha256_update(&h, p->files[i].text, (size_t)p->files[i].bytes);
    for (size_t i = 0; i < p->context->n_provenance; i++) {
        const qz_provenance *v = &p->context->provenance[i];
        qz_sha256_update(&h, v->key, strlen(v->key) + 1);
        qz_sha256_update(&h, v->value, strlen(v->value) + 1);
    }
    qz_sha256_final_hex(&h, hex);
}

typedef struct { qz_map map; size_t file; bool open; } mapped;

static bool item_matches(const qz_artifact_writer *w, mapped *m, size_t i, uint64_t want) {
    const qz_artifact_item *it = &w->plan->items[i];
    if (!m->open || m->file != it->file) {
        if (m->open) qz_map_release(&m->map);
        qz_error ignored = {0};
        char *p = qz_artifact_file_written(w, it->file);
        m->open = p && qz_path_exists(p) && qz_map_open(&m->map, p, &ignored) == QZ_OK;
        m->file = it->file;
        qz_free(p);
        if (!m->open) return false;
    }
    if (it->offset > m->map.size || it->bytes > m->map.size - it->offset) return false;
    qz_sum64 found = {0};
    qz_sum64_update(&found, m->map.ptr + it->offset, (size_t)it->bytes);
    qz_map_forget(m->map.ptr + it->offset, (size_t)it->bytes);
    return qz_sum64_final(&found) == want;
}

static bool same_plan(const qz_artifact_writer *w, const qz_journal *j) {
    char head[sizeof HEAD + 64] = HEAD;
    plan_hash(w->plan, head + sizeof HEAD - 1);
    return j->n > 0 && strcmp(j->lines[0], head) == 0;
}

static uint64_t line_sum(const char *line, size_t n) {
    qz_sum64 sum = {0};
    qz_sum64_update(&sum, line, n);
    return qz_sum64_final(&sum);
}
void qz_item_journal_line(qz_str *out, size_t item, uint64_t stored, uint64_t meant) {
    char line[80];
    const int n = snprintf(line, sizeof line, "%zu %016llx %016llx", item, (unsigned long long)stored,
                           (unsigned long long)meant);
    qz_str_printf(out, "%s %016llx\n", line, (unsigned long long)line_sum(line, (size_t)n));
}
/* The last field is the sum of what stands before it (n bytes). */
static bool line_whole(const char *line, size_t n) {
    char *end;
    return line[n] == ' ' && strtoull(line + n + 1, &end, 16) == line_sum(line, n) && *end == 0;
}

/* Lines of the journal that fit the plan and whose data are there; 0 for another plan's journal. */
static size_t valid_items(qz_artifact_writer *w, const qz_journal *j) {
    char want[32];
    mapped m = {0};
    size_t done = 0;
    if (!same_plan(w, j)) return 0;
    for (; done + 1 < j->n && done < w->plan->n_items; done++) {
        const char *line = j->lines[done + 1];
        size_t k = (size_t)snprintf(want, sizeof want, "%zu ", done);
        char *end;
        if (strncmp(line, want, k) || strlen(line) != k + 16 + 17 + 17 || !line_whole(line, k + 16 + 17)) break;
        const uint64_t sum = strtoull(line + k, &end, 16);
        if (end != line + k + 16 || *end != ' ' || !item_matches(w, &m, done, sum)) break;
        w->meant[done] = strtoull(end + 1, NULL, 16);
    }
    if (m.open) qz_map_release(&m.map);
    return done;
}

/* An empty journal with the first `done` lines of the old one. */
static qz_status start_again(qz_artifact_writer *w, const qz_journal *old, size_t done, qz_error *err) {
    char hex[65];
    QZ_TRY(qz_journal_open(&w->journal, w->journal_path, true, err));
    plan_hash(w->plan, hex);
    QZ_TRY(qz_journal_add(&w->journal, err, HEAD "%s", hex));
    for (size_t i = 0; i < done; i++) QZ_TRY(qz_journal_add(&w->journal, err, "%s", old->lines[i + 1]));
    return QZ_OK;
}

/* An artifact of several files whose job was killed between the last renames: those that have their final names get the
 * temporary ones back, what stood there before its own. */
static qz_status take_back(const qz_artifact_writer *w, qz_error *err) {
    qz_status st = QZ_OK;
    for (size_t i = 0; i < w->plan->n_files && w->ops->file_begins && st == QZ_OK; i++) {
        char *partial = qz_artifact_file_path(w->plan, w->partial, i),
             *final = qz_artifact_file_path(w->plan, w->path, i);
        bool here = false, there = false;
        if (!partial || !final) st = qz_fail(err, QZ_EMEMORY, "out of memory resuming '%s'", w->path);
        const bool old = partial && qz_path_exists(partial);
        if (st == QZ_OK && old) st = w->ops->file_begins(w->plan, i, partial, &here, err);
        if (st == QZ_OK && !here && qz_path_exists(final)) st = w->ops->file_begins(w->plan, i, final, &there, err);
        if (st == QZ_OK && there) st = old ? qz_exchange(final, partial, err) : qz_rename(final, partial, err);
        qz_free(partial);
        qz_free(final);
    }
    return st;
}

qz_status qz_item_journal_find(qz_artifact_writer *w, size_t *done, qz_error *err) {
    qz_journal old = {0};
    *done = 0;
    if (!qz_path_exists(w->journal_path)) return QZ_OK;
    QZ_TRY(qz_journal_open(&old, w->journal_path, false, err));
    const size_t kept = old.n > 1 ? old.n - 1 : 0;
    if (kept && !same_plan(w, &old)) {
        qz_journal_close(&old, false);
        return qz_fail(err, QZ_EUSAGE,
                       "cannot resume '%s': the interrupted run had other settings, another source or other data (%zu "
                       "of its tensors are finished); "
                       "give its own options, or run without --resume to begin anew",
                       w->path, kept);
    }
    qz_status st = kept == w->plan->n_items && w->plan->n_files > 1 ? take_back(w, err) : QZ_OK;
    if (st == QZ_OK) *done = valid_items(w, &old);
    qz_journal_close(&old, false);
    QZ_TRY(st);
    qz_info(w->run, "resuming '%s': %zu of %zu tensors are complete", w->path, *done, w->plan->n_items);
    if (*done < kept)
        qz_warn(w->run,
                "'%s': the interrupted run had finished %zu tensors, but tensor '%s' is not as it was written, in the "
                "file or in its journal: it and what comes after it are made again; look at the disk",
                w->path, kept, w->plan->items[*done].out_name);
    return QZ_OK;
}

void qz_item_journal_mourn(const qz_artifact_writer *w) {
    qz_journal old = {0};
    if (!qz_path_exists(w->journal_path) || qz_journal_open(&old, w->journal_path, false, &(qz_error){0}) != QZ_OK)
        return;
    if (old.n > 1 && strncmp(old.lines[0], HEAD, sizeof HEAD - 1) == 0)
        qz_warn(w->run,
                "'%s': begun anew, %zu finished tensors of an interrupted run are dropped (--resume would have "
                "continued it)",
                w->path, old.n - 1);
    qz_journal_close(&old, false);
}

qz_status qz_item_journal_start(qz_artifact_writer *w, size_t done, qz_error *err) {
    if (done == 0) return start_again(w, NULL, 0, err);
    qz_journal old = {0};
    QZ_TRY(qz_journal_open(&old, w->journal_path, false, err));
    if (old.n == done + 1) { /* every line counts: go on behind it */
        w->journal = old;
        return QZ_OK;
    }
    qz_status st = start_again(w, &old, done, err);
    qz_journal_close(&old, false);
    return st;
}

qz_status qz_item_journal_append(qz_artifact_writer *w, qz_error *err) {
    if (w->pending.failed) return qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path);
    /* add ends the line */
    if (w->pending.len) QZ_TRY(qz_journal_add(&w->journal, err, "%.*s", (int)w->pending.len - 1, w->pending.ptr));
    qz_str_clear(&w->pending);
    return QZ_OK;
}
