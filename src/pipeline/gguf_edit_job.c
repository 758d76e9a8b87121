/* gguf set and unset: in place where the header has room, else a new file beside it that takes its name. */
#include "artifacts/gguf_layout.h"
#include "artifacts/open.h"
#include "base/bytes.h"
#include "base/size.h"
#include "formats/gguf_edit.h"
#include "formats/gguf_patch.h"
#include "pipeline/gguf_jobs.h"
#include "text/chat.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define COUNTS 24u /* magic, version, tensors, keys */
/* Files up to here are hashed again for their manifest; what is larger takes longer than the edit. */
#define HASHED ((uint64_t)1 << 30)

typedef struct {
    qz_run *run;
    const qz_request *r;
    qz_arena *arena;
    const char *path;     /* of the file itself, behind links */
    qz_lock lock;
    qz_gguf g;
    qz_gguf_edits edits;
    const char **keys;    /* edited, for the manifest */
    bool sound;           /* configuration and tokenizer can be read now */
    qz_config_keys known; /* then: keys that mean another model already */
} editing;

static qz_status memory(qz_error *err) { return qz_fail(err, QZ_EMEMORY, "out of memory editing keys"); }

/* Keys are in the first part; a link stands for its file. */
static qz_status find_file(editing *j, const char *given, qz_gguf_done *d, qz_error *err) {
    size_t no, count;
    char *first = qz_gguf_part_named(given, &no, &count) ? qz_gguf_part_path(given, 0, count) : qz_strdup(given);
    if (first == NULL) return memory(err);
    d->path = qz_arena_strdup(j->arena, first); /* what changes, and what the hash is of */
    d->asked = strcmp(first, given) == 0 ? NULL : given;
    qz_status st = qz_path_exists(first) ? QZ_OK : qz_path_missing(first, err);
    if (st == QZ_OK && qz_path_kind_of(first) != QZ_PATH_FILE)
        st = qz_fail(err, QZ_EUSAGE, "'%s' is %s: expected a GGUF file", first, qz_path_kind_text(first));
    char *real = st == QZ_OK ? realpath(first, NULL) : NULL;
    j->path = real ? qz_arena_strdup(j->arena, real) : NULL;
    free(real); /* libc's */
    qz_free(first);
    return st != QZ_OK || (j->path && d->path) ? st : memory(err);
}

/* PATH.partial of another program is not ours to replace. */
static qz_status own_names(const editing *j, qz_error *err) {
    char *partial = qz_arena_printf(j->arena, "%s.partial", j->path);
    if (partial == NULL) return memory(err);
    if (j->lock.left || !qz_path_exists(partial)) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE, "'%s' stands beside the file and is not ours: move it away", partial);
}

static qz_status open_file(editing *j, const char *given, qz_gguf_done *d, qz_error *err) {
    QZ_TRY(find_file(j, given, d, err));
    QZ_TRY(qz_lock_take(&j->lock, j->path, err));
    QZ_TRY(own_names(j, err));
    QZ_TRY(qz_outputs_recover(j->run, j->path, QZ_OUTPUT_ARTIFACT, err));
    qz_patch_left left;
    QZ_TRY(qz_gguf_patch_recover(j->path, &left, err));
    if (left == QZ_PATCH_OTHER)
        qz_info(j->run, "'%s.undo' is removed: it was the record of an edit of another file that stood here before",
                j->path);
    d->repaired = left == QZ_PATCH_TAKEN_BACK;
    if (d->repaired) qz_info(j->run, "'%s': an interrupted edit is taken back", d->path);
    return qz_gguf_open_part(&j->g, j->path, err);
}

static void close_file(editing *j, qz_status st) {
    qz_gguf_release(&j->g);
    qz_gguf_edits_release(&j->edits);
    if (j->path && st == QZ_OK && j->lock.left)
        (void)qz_outputs_tidy(j->run, j->path, QZ_OUTPUT_ARTIFACT, &(qz_error){0});
    if (j->path) qz_lock_drop(&j->lock, st == QZ_OK);
}

/* ---- in place ---- */
/* The header with the edits in it, as long as it was: room takes up the difference. *head NULL: it does not fit. */
static qz_status head_of(const editing *j, uint8_t **head, uint64_t *room, qz_error *err) {
    const qz_gguf *g = &j->g;
    qz_gguf_meta meta = {0};
    const uint64_t have = g->kv_end - COUNTS, own = 8 + sizeof QZ_GGUF_ROOM_KEY - 1 + 4 + 8;
    *head = NULL;
    *room = 0;
    qz_status st = qz_gguf_edit_apply(&j->edits, g, QZ_GGUF_ROOM_KEY, &meta, err);
    const uint64_t left = st == QZ_OK && meta.bytes.len <= have ? have - meta.bytes.len : 1;
    if (st == QZ_OK && left >= own) {
        *room = left - own;
        char *spaces = qz_alloc_array((size_t)*room + 1, 1);
        if (spaces) memset(spaces, ' ', (size_t)*room);
        if (spaces) qz_gguf_put_text(&meta, QZ_GGUF_ROOM_KEY, spaces, (size_t)*room);
        if (!spaces || meta.bytes.failed) st = memory(err);
        qz_free(spaces);
    }
    if (st == QZ_OK && meta.bytes.len == have) {
        *head = qz_arena_alloc(j->arena, (size_t)g->data_start, 1);
        if (*head) {
            memcpy(*head, g->map.ptr, (size_t)g->data_start);
            qz_store_u64le(*head + 16, meta.n);
            memcpy(*head + COUNTS, meta.bytes.ptr, meta.bytes.len);
        } else st = memory(err);
    }
    qz_gguf_meta_release(&meta);
    return st;
}

/* What could be read must stay readable. */
static qz_status still_sound(const editing *j, const qz_gguf *edited, qz_error *err) {
    qz_error why = {0};
    qz_config_keys keys = {0};
    if (!j->sound) return QZ_OK;
    if (qz_gguf_sound(edited, &keys, &why) != QZ_OK)
        return qz_fail(err, QZ_EUSAGE, "the edit would break the file: %s", why.text);
    if (keys.n_refused <= j->known.n_refused) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE,
                   "the edit would make another model of '%s', one that nothing here computes: %s; the weights were "
                   "not trained for it",
                   j->path, keys.refused);
}

static bool other_names(const char *path) {
    struct stat info;
    return stat(path, &info) != 0 || info.st_nlink > 1;
}

/* The manifest under its temporary name gets its own. */
static qz_status put_manifest(const editing *j, uint64_t bytes, const char *sha, qz_error *err) {
    char *name = NULL;
    QZ_TRY(qz_manifest_edited(j->path, bytes, sha, j->keys, j->edits.n, &name, err));
    qz_status st = name ? qz_commit_partial(name, err) : QZ_OK;
    qz_free(name);
    return st;
}

static qz_status in_place(const editing *j, const uint8_t *head, qz_gguf_done *d, qz_error *err) {
    const qz_gguf *g = &j->g;
    size_t from = 0, to = (size_t)g->data_start;
    while (from < to && head[from] == g->map.ptr[from]) from++;
    while (to > from && head[to - 1] == g->map.ptr[to - 1]) to--;
    d->in_place = true;
    if (from < to) { /* else it is as asked for already */
        QZ_TRY(put_manifest(j, g->map.size, NULL, err));
        QZ_TRY(qz_gguf_patch(j->path, from, head + from, to - from, err));
    }
    char *manifest = qz_manifest_path(j->path), *sha = qz_arena_alloc(j->arena, 65, 1);
    qz_status st = manifest && sha ? QZ_OK : memory(err);
    if (st == QZ_OK && g->map.size <= HASHED && qz_path_exists(manifest)) {
        st = qz_sha256_file_hex(j->path, sha, err);
        if (st == QZ_OK) st = put_manifest(j, g->map.size, sha, err);
        d->sha256 = sha;
    }
    qz_free(manifest);
    return st;
}

/* ---- a new file ---- */
static qz_status rewrite(const editing *j, uint64_t room, qz_gguf_done *d, qz_error *err) {
    const qz_gguf *g = &j->g;
    qz_gguf_meta meta = {0};
    qz_gguf made = {0};
    char *sha = qz_arena_alloc(j->arena, 65, 1), *manifest = NULL, *staged = NULL;
    char *partial = qz_arena_printf(j->arena, "%s.partial", j->path);
    const qz_gguf_tensor **t = qz_arena_alloc(j->arena, g->n + 1, sizeof *t);
    qz_status st = sha && partial && t ? qz_gguf_edit_apply(&j->edits, g, QZ_GGUF_ROOM_KEY, &meta, err) : memory(err);
    for (size_t i = 0; t && i < g->n; i++) t[i] = &g->tensors[i];
    qz_gguf_put_room(&meta, room);
    if (st == QZ_OK) st = qz_disk_check(j->path, g->map.size, err);
    if (st == QZ_OK) st = qz_gguf_copy(j->path, &meta, t, g->n, sha, err);
    if (st == QZ_OK) st = qz_gguf_open_part(&made, partial, err);
    if (st == QZ_OK) st = still_sound(j, &made, err);
    d->bytes = made.map.size;
    if (st == QZ_OK) st = qz_manifest_edited(j->path, made.map.size, sha, j->keys, j->edits.n, &manifest, err);
    if (st == QZ_OK && manifest && !(staged = qz_arena_printf(j->arena, "%s.partial", manifest))) st = memory(err);
    if (st == QZ_OK) {
        const qz_move moves[] = {{partial, j->path}, {staged, manifest}};
        st = qz_commit(moves, manifest ? 2 : 1, err);
    }
    if (st != QZ_OK && partial && qz_path_exists(partial)) (void)qz_remove_tree(partial, &(qz_error){0});
    if (st != QZ_OK && staged) (void)qz_remove_tree(staged, &(qz_error){0});
    qz_gguf_release(&made);
    qz_gguf_meta_release(&meta);
    qz_free(manifest);
    d->sha256 = sha;
    d->room = room;
    return st;
}

/* ---- the job ---- */
static qz_status say_changes(editing *j, qz_gguf_done *d, qz_error *err) {
    qz_gguf_change *c = qz_arena_calloc(j->arena, j->edits.n + 1, sizeof *c);
    char buf[96];
    j->keys = qz_arena_calloc(j->arena, j->edits.n + 1, sizeof *j->keys);
    if (!c || !j->keys) return memory(err);
    for (size_t i = 0; i < j->edits.n; i++) {
        const qz_gguf_edit *e = &j->edits.v[i];
        const qz_gguf_kv *now = qz_gguf_key(&j->g, e->key);
        j->keys[i] = c[i].key = qz_arena_strdup(j->arena, e->key);
        if (now) c[i].before = qz_arena_strdup(j->arena, qz_gguf_value_text(now, buf));
        if (!e->unset) c[i].after = qz_arena_strdup(j->arena, qz_gguf_value_text(&e->value, buf));
        if (!c[i].key || (now && !c[i].before) || (!e->unset && !c[i].after)) return memory(err);
    }
    d->changes = c;
    d->n_changes = j->edits.n;
    return QZ_OK;
}

static void check_template(const editing *j) {
    for (size_t i = 0; i < j->edits.n; i++) {
        const qz_gguf_edit *e = &j->edits.v[i];
        qz_error why = {0};
        if (e->unset || strcmp(e->key, "tokenizer.chat_template") != 0) continue;
        if (qz_chat_check((const char *)e->value.data, (size_t)e->value.bytes, &why) != QZ_OK)
            qz_warn(j->run, "%s: runtimes may refuse it: '%s'", why.text, e->text);
    }
}

static qz_status edit(editing *j, qz_gguf_done *d, qz_error *err) {
    qz_scheme_spec spec;
    qz_gguf edited = {0};
    uint8_t *head = NULL;
    QZ_TRY(qz_scheme_parse("gguf", &spec, err));
    QZ_TRY(qz_gguf_layout_parse(&spec, &(qz_gguf_wishes){.reserve = j->r->reserve_room}, err));
    QZ_TRY(say_changes(j, d, err));
    j->sound = qz_gguf_sound(&j->g, &j->known, &(qz_error){0}) == QZ_OK;
    check_template(j);
    d->bytes = j->g.map.size;
    d->tensors = j->g.n;
    d->files = 1;
    QZ_TRY(head_of(j, &head, &d->room, err));
    if (head) {
        QZ_TRY(qz_gguf_open_edited(&edited, &j->g, head, err));
        qz_status st = still_sound(j, &edited, err);
        qz_gguf_release(&edited);
        QZ_TRY(st);
    }
    d->why_rewritten = head == NULL              ? "its header has no room for the edit"
                       : j->r->reserve_room      ? "--reserve gives it new room"
                       : other_names(j->path)    ? "the file has other names (hard links) that keep what it was"
                                                 : NULL;
    if (d->why_rewritten == NULL) return in_place(j, head, d, err);
    return rewrite(j, spec.layout.room_as_usual ? QZ_GGUF_ROOM : spec.layout.room, d, err);
}

qz_status qz_gguf_edit_job(qz_run *run, const qz_request *r, bool unset, qz_arena *a, qz_gguf_done *d, qz_error *err) {
    editing j = {.run = run, .r = r, .arena = a, .lock = {.fd = -1}};
    *d = (qz_gguf_done){.edited = true};
    if (r->n_operands < 3)
        return qz_fail(err, QZ_EUSAGE, "nothing to edit: expected 'gguf %s FILE %s…'", unset ? "unset" : "set",
                       unset ? "KEY" : "KEY=VALUE");
    qz_status st = open_file(&j, r->operands[1], d, err);
    for (size_t i = 2; i < r->n_operands && st == QZ_OK; i++)
        st = qz_gguf_edit_parse(&j.edits, &j.g, r->operands[i], unset ? QZ_GGUF_UNSET : QZ_GGUF_SET, err);
    if (st == QZ_OK) st = edit(&j, d, err);
    close_file(&j, st);
    return st;
}

qz_status qz_gguf_repair_job(qz_run *run, const qz_request *r, qz_arena *a, qz_gguf_done *d, qz_error *err) {
    editing j = {.run = run, .r = r, .arena = a, .lock = {.fd = -1}};
    *d = (qz_gguf_done){.files = 1};
    if (r->n_operands != 2)
        return qz_fail(err, QZ_EUSAGE, "expected 'gguf repair FILE', found %zu names", r->n_operands - 1);
    qz_status st = open_file(&j, r->operands[1], d, err);
    if (st == QZ_OK && !d->repaired) qz_info(run, "'%s': nothing to repair", r->operands[1]);
    d->tensors = j.g.n;
    d->bytes = j.g.map.size;
    close_file(&j, st);
    return st;
}
