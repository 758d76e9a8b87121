#include "pipeline/gate.h"
#include "artifacts/open.h"
#include "base/io.h"
#include "base/size.h"

qz_status qz_gate_judge_all(qz_arena *a, qz_gate_view *v, qz_error *err) {
    const qz_gate_candidates *c = v->candidates;
    qz_gate_result *results = qz_arena_calloc(a, c->n * v->rules->n + 1, sizeof *results);
    bool *approved = qz_arena_calloc(a, c->n + 1, sizeof *approved);
    if (!results || !approved) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (size_t i = 0; i < c->n; i++) {
        approved[i] = qz_gate_judge(v->rules, &c->at[i], results + i * v->rules->n);
        v->tasks = v->tasks || (!c->at[i].baseline && c->at[i].v[QZ_GATE_ACCURACY].present);
    }
    v->results = results;
    v->approved = approved;
    return QZ_OK;
}

qz_status qz_gate_store(qz_run *run, const qz_gate_view *v, size_t i, qz_error *err) {
    const qz_gate_candidate *c = &v->candidates->at[i];
    char *manifest = c->path ? qz_manifest_path(c->path) : NULL;
    if (manifest == NULL || !qz_path_exists(manifest)) {
        qz_warn(run, "%s: no artifact of that name here, or none with a manifest: its verdict is not stored", c->name);
        qz_free(manifest);
        return QZ_OK;
    }
    json_t *j =
        json_pack("{s:s?,s:s,s:b,s:s?,s:s?}", "rules_sha256", v->rules->sha_hex[0] ? v->rules->sha_hex : NULL, "rules",
                  v->rules->sha_hex[0] ? qz_path_base(v->rules->path) : v->rules->path, "approved", v->approved[i],
                  "protocol", v->candidates->protocol, "token_hash", v->candidates->token_hash);
    qz_status st = j ? qz_manifest_add(manifest, "gate", j, err) : qz_fail(err, QZ_EMEMORY, "out of memory");
    if (st == QZ_OK) qz_info(run, "%s: verdict stored in %s", c->name, manifest);
    json_decref(j);
    qz_free(manifest);
    return st;
}

qz_status qz_gate_decide(const qz_gate_view *v, bool every, qz_error *err) {
    size_t judged = 0, approved = 0;
    for (size_t i = 0; i < v->candidates->n; i++) {
        if (v->candidates->at[i].baseline) continue;
        judged++;
        approved += v->approved[i];
    }
    if (judged == 0) return qz_fail(err, QZ_EUSAGE, "no candidate to judge: only the source's own row was found");
    if (every ? approved == judged : approved > 0) return QZ_OK;
    return qz_fail(err, QZ_ECHECK, "%zu of %zu candidate%s approved%s", approved, judged, qz_plural(judged),
                   every ? " (--all asks for every one)" : "");
}
