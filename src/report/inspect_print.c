#include "report/inspect_print.h"
#include "report/fit.h"
#include "artifacts/open.h"
#include "artifacts/provenance.h"
#include "artifacts/raw.h"
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "codecs/kv.h"
#include "model/cache.h"
#include "codecs/types.h"
#include "model/kinds.h"
#include "model/leftovers.h"
#include "model/steps.h"
#include "base/json_write.h"
#include "report/table_print.h"
#include "text/accepted.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "193 q4_K, 33 q6_K, 65 f32" in the order of types.def. */
static void type_counts(const qz_model *m, qz_str *s) {
    size_t count[QZ_TYPE_COUNT] = {0};
    bool any = false;
    for (size_t i = 0; i < m->n_tensors; i++)
        if (qz_tensor_floats(&m->tensors[i])) count[qz_tensor_float_type(&m->tensors[i])]++;
        else if (m->tensors[i].coded == NULL) count[m->tensors[i].type]++;
    for (int t = 0; t < QZ_TYPE_COUNT; t++) {
        if (!count[t]) continue;
        qz_str_printf(s, "%s%zu %s", any ? ", " : "", count[t], qz_type_get((qz_type)t)->name);
        any = true;
    }
    for (size_t i = 0; i < m->n_tensors; i++) { /* kinds of codes, each where its first tensor stands */
        const bool coded = m->tensors[i].coded && !qz_tensor_floats(&m->tensors[i]);
        const qz_coded_ops *kind = coded ? m->tensors[i].coded->ops : NULL;
        size_t n = 0, before = 0;
        for (size_t k = 0; kind && k < m->n_tensors; k++) {
            const bool same = m->tensors[k].coded && m->tensors[k].coded->ops == kind;
            n += same, before += same && k < i;
            if (before) break;
        }
        if (!kind || before) continue;
        qz_str_printf(s, "%s%zu %s", any ? ", " : "", n, kind->name);
        any = true;
    }
}

/* Does view i begin a tensor of the container? Experts of a stack, and parts of a fused matrix, are views of one. */
static bool begins(const qz_model *m, size_t i) {
    const qz_tensor_view *x = &m->tensors[i];
    return i == 0 || strcmp(x->file_name, m->tensors[i - 1].file_name) != 0 ||
           strcmp(x->file, m->tensors[i - 1].file) != 0;
}

/* One row: the view alone, or the stored tensor that it begins ("8 x 192" rows: the outer sizes of a stack). */
static qz_status tensor_row(const qz_tensor_view *x, const qz_raw_tensor *stored, qz_table *t, qz_error *err) {
    char type[32];
    qz_str rows = {0};
    const uint64_t cols = stored ? stored->dims[stored->n_dims - 1] : x->cols;
    if (!stored) qz_str_printf(&rows, "%zu", x->rows);
    for (uint32_t d = 0; stored && d + 1 < stored->n_dims; d++)
        qz_str_printf(&rows, "%s%llu", d ? " x " : "", (unsigned long long)stored->dims[d]);
    qz_status st = qz_table_row(t, err);
    if (st == QZ_OK) st = qz_table_set(t, 0, err, "%s", x->file_name);
    if (st == QZ_OK) st = qz_table_set(t, 1, err, "%s", qz_tensor_type_text(x, type));
    if (st == QZ_OK) st = qz_table_set(t, 2, err, "%s", rows.ptr ? rows.ptr : "1");
    if (st == QZ_OK) st = qz_table_set(t, 3, err, "%llu", (unsigned long long)cols);
    if (st == QZ_OK) st = qz_table_set(t, 4, err, "%llu", (unsigned long long)(stored ? stored->offset : x->offset));
    if (st == QZ_OK) st = qz_table_set(t, 5, err, "%llu", (unsigned long long)(stored ? stored->bytes : x->bytes));
    if (st == QZ_OK) st = qz_table_set(t, 6, err, "%s", qz_path_base(x->file));
    qz_str_release(&rows);
    return st;
}

static const qz_raw_tensor *stored_tensor(const qz_raw *r, const qz_tensor_view *x) {
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->tensors[i].name, x->file_name) == 0) return &r->tensors[i];
    return NULL;
}

qz_status qz_inspect_tensors(const qz_model *m, qz_arena *a, qz_table *t, qz_error *err) {
    static const qz_column cols[] = {{"Tensor", 'l'}, {"Type", 'l'}, {"Rows", 'r'}, {"Cols", 'r'}, {"Offset", 'r'},
                                     {"Bytes", 'r'}, {"File", 'l'}};
    QZ_TRY(qz_table_init(t, a, NULL, cols, 7, err));
    qz_raw raw = {0};
    qz_status st = QZ_OK;
    for (size_t i = 0; i < m->n_tensors && st == QZ_OK; i++) {
        if (!begins(m, i)) continue;
        const bool parts = i + 1 < m->n_tensors && !begins(m, i + 1);
        if (parts && raw.n == 0) st = qz_raw_open(m->path, &raw, err);
        if (st == QZ_OK) st = tensor_row(&m->tensors[i], parts ? stored_tensor(&raw, &m->tensors[i]) : NULL, t, err);
    }
    qz_raw_release(&raw);
    return st;
}

/* No dim fails at 16 bits, and the configuration is bounded. */
static bool kv_bytes(const qz_model *m, uint64_t *kv) {
    const qz_config *c = &m->config;
    bool ok = true;
    for (size_t l = 0; l < c->layers && ok; l++) {
        const qz_layer_cache k = qz_cache_of(c, l);
        const qz_kv_entry entry = {{QZ_KV_F16, QZ_KV_F16}, k.heads, k.k_dim, k.v_dim};
        uint64_t token = 0;
        ok = qz_kv_token_bytes(&entry, m->path, &token, NULL) == QZ_OK && qz_kv_cache_bytes(token, 1, 1, 1, kv);
    }
    return ok;
}
/* NULL: there is none, or it cannot be read. */
static json_t *manifest_of(const char *path) {
    char *mp = qz_manifest_path(path);
    json_t *root = NULL;
    if (mp && qz_path_exists(mp) && qz_json_load(mp, 64 << 20, &root, &(qz_error){0}) != QZ_OK) root = NULL;
    qz_free(mp);
    return root;
}

static uint64_t dense_layers(const qz_config *c) {
    uint64_t n = 0;
    for (uint64_t l = 0; l < c->layers; l++) n += !qz_config_sparse(c, l);
    return c->experts ? n : 0;
}
static void expert_line(const qz_config *c, qz_str *out) {
    qz_str_printf(out, "  experts      %llu of width %llu, %llu for each token", (unsigned long long)c->experts,
                  (unsigned long long)c->expert_width, (unsigned long long)c->experts_used);
    if (c->shared_width)
        qz_str_printf(out, "; for all of them one of width %llu", (unsigned long long)c->shared_width);
    if (dense_layers(c)) qz_str_printf(out, "; %llu dense layers", (unsigned long long)dense_layers(c));
    qz_str_puts(out, "\n");
}

/* Mixers of another kind than attention over keys: what they are made of, and in which layers they are. */
static void mixer_lines(const qz_config *c, qz_str *out) {
    size_t n = 0;
    for (size_t l = 0; l < c->layers; l++) n += qz_kind_get((qz_kind_id)c->layer_mixer[l])->state;
    if (c->latent.kv_rank) {
        qz_str_printf(out, "  latent       keys and values of rank %llu, queries ",
                      (unsigned long long)c->latent.kv_rank);
        if (c->latent.q_rank) qz_str_printf(out, "of rank %llu", (unsigned long long)c->latent.q_rank);
        else qz_str_puts(out, "at once");
        qz_str_printf(out, "; heads of %llu and %llu that rotate, values of %llu\n",
                      (unsigned long long)c->latent.nope, (unsigned long long)c->latent.rope,
                      (unsigned long long)c->latent.v);
    }
    if (n)
        qz_str_printf(out, "  delta net    %zu of %llu layers: %llu key heads of %llu, %llu value heads of %llu, "
                      "convolution of %llu\n", n, (unsigned long long)c->layers, (unsigned long long)c->delta.k_heads,
                      (unsigned long long)c->delta.k_dim, (unsigned long long)c->delta.v_heads,
                      (unsigned long long)c->delta.v_dim,
                      (unsigned long long)c->delta.taps);
}

static void mixer_json(const qz_config *c, qz_json_writer *w) {
    size_t n = 0;
    for (size_t l = 0; l < c->layers; l++) n += qz_kind_get((qz_kind_id)c->layer_mixer[l])->state;
    const struct { const char *key; uint64_t value; } latent[] = {
        {"kv_rank", c->latent.kv_rank}, {"q_rank", c->latent.q_rank}, {"nope", c->latent.nope},
        {"rope", c->latent.rope}, {"v", c->latent.v}}, delta[] = {
        {"layers", n}, {"key_heads", c->delta.k_heads}, {"key_dim", c->delta.k_dim},
        {"value_heads", c->delta.v_heads}, {"value_dim", c->delta.v_dim}, {"taps", c->delta.taps}};
    if (c->latent.kv_rank) {
        qz_jw_open(w, "latent", '{');
        for (size_t i = 0; i < sizeof latent / sizeof *latent; i++) qz_jw_count(w, latent[i].key, latent[i].value);
        qz_jw_close(w, '}');
    }
    if (n == 0) return;
    qz_jw_open(w, "delta_net", '{');
    for (size_t i = 0; i < sizeof delta / sizeof *delta; i++) qz_jw_count(w, delta[i].key, delta[i].value);
    qz_jw_close(w, '}');
}

/* An embedding with more rows than tokens is padded: allowed, and said. */
static void tokenizer_line(const qz_source *s, qz_str *out) {
    const uint64_t rows = s->model->config.vocab_size;
    if (!s->tokenizer) {
        qz_str_puts(out, "  tokenizer    none: inputs are ids\n");
        return;
    }
    const size_t n = qz_tokenizer_vocab_size(s->tokenizer);
    qz_str_printf(out, "  tokenizer    %zu tokens, chat template: %s\n", n,
                  qz_tokenizer_chat_template(s->tokenizer) ? "yes" : "no");
    if (n < rows) qz_str_printf(out, "  padding      %llu rows of the embedding have no token\n",
                                (unsigned long long)(rows - n));
}

/* Layers of sizes of their own. */
static uint64_t full_layers(const qz_config *c) {
    uint64_t n = 0;
    for (uint64_t l = 0; l < c->layers; l++) n += !c->layer_sliding[l];
    return n;
}
static void layer_line(const qz_config *c, qz_str *out) {
    qz_str_printf(out, "  layers       %llu of full attention: kv_heads %llu, head_dim %llu%s",
                  (unsigned long long)full_layers(c), (unsigned long long)c->wide.kv_heads,
                  (unsigned long long)c->wide.head_dim, c->wide.keys_as_values ? ", values are the keys" : "");
    if (c->wide.borrowers)
        qz_str_printf(out, "; the last %llu borrow keys and values", (unsigned long long)c->wide.borrowers);
    if (c->wide.borrowers && c->wide.ffn != c->intermediate_size)
        qz_str_printf(out, ", intermediate %llu", (unsigned long long)c->wide.ffn);
    if (c->token.width)
        qz_str_printf(out, "; of each token %llu values for each layer", (unsigned long long)c->token.width);
    qz_str_puts(out, "\n");
}

static void shape_lines(const qz_source *s, qz_str *out) {
    const qz_model *m = s->model;
    const qz_config *c = &m->config;
    char size[48];
    uint64_t n = qz_config_parameters(c);
    qz_str_printf(out, "%s, %s (%s: ", m->container, m->encoding, s->name);
    type_counts(m, out);
    qz_str_printf(out, "), %s\n", m->contract);
    qz_str_printf(out, "  family       %s, %llu weights, %.4f bits/weight\n", qz_family_get(c->family)->name,
                  (unsigned long long)n, qz_model_bits_per_weight(m));
    qz_str_printf(out,
                  "  shape        hidden %llu, intermediate %llu, layers %llu, heads %llu, kv_heads %llu, head_dim "
                  "%llu, vocab %llu%s\n",
                  (unsigned long long)c->hidden_size, (unsigned long long)c->intermediate_size,
                  (unsigned long long)c->layers, (unsigned long long)c->heads, (unsigned long long)c->kv_heads,
                  (unsigned long long)c->head_dim, (unsigned long long)c->vocab_size,
                  c->tie_embeddings ? ", tied embeddings" : "");
    if (c->wide.head_dim) layer_line(c, out);
    mixer_lines(c, out);
    if (c->experts) expert_line(c, out);
    qz_str_printf(out, "  context      %llu tokens, rope theta %g%s\n", (unsigned long long)c->max_position,
                  c->rope.theta, !c->sliding_window ? "" : c->chunked ? ", attention in chunks" : ", sliding window");
    qz_str_printf(out, "  size         %s, %zu tensors\n", qz_size_text(size, m->file_bytes), m->n_tensors);
    uint64_t kv = 0;
    if (kv_bytes(m, &kv))
        qz_str_printf(out, "  KV cache     %llu bytes a token at 16 bits\n", (unsigned long long)kv);
    tokenizer_line(s, out);
}

/* What is stored and not used, keys that nothing reads, and flags that the data contradict. */
static void leftover_lines(const qz_model *m, qz_str *out) {
    static const struct { qz_left_kind kind; const char *label; } rows[] = {
        {QZ_LEFT_PART, "not used"}, {QZ_LEFT_BUFFER, "buffers"}, {QZ_LEFT_CACHE, "cache scales"},
        {QZ_LEFT_TWIN, "tied twice"}, {QZ_LEFT_ZEROS, "zeros"}, {QZ_LEFT_MTP, "MTP, not run"},
        {QZ_LEFT_OTHER, "images, sound"}, {QZ_LEFT_BORROWED, "keys unused"}};
    const qz_config_keys *k = &m->config.keys;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const size_t n = qz_leftovers_count(m, rows[i].kind);
        if (n == 0) continue;
        qz_str_printf(out, "  %-12s %zu tensor%s: ", rows[i].label, n, n == 1 ? "" : "s");
        qz_leftovers_names(m, rows[i].kind, out);
        if (rows[i].kind == QZ_LEFT_PART) {
            qz_str keys = {0};
            qz_leftovers_keys(m, &keys);
            qz_str_printf(out, " (%s%s%s)", QZ_CODE_UNUSED, keys.len ? "; used with " : "", keys.ptr ? keys.ptr : "");
            qz_str_release(&keys);
        }
        qz_str_puts(out, "\n");
    }
    if (qz_leftovers_heads_gone(m))
        qz_str_printf(out,
                      "  MTP          config.json announces %llu layer%s that predict tokens beyond the next, none is "
                      "stored\n",
                      (unsigned long long)m->config.mtp_layers, qz_plural(m->config.mtp_layers));
    if (m->head_untied)
        qz_str_puts(out, "  head         stored with values of its own and used, although the configuration ties it\n");
    if (m->n_other_files)
        qz_str_printf(out, "  other files  %zu .safetensors not read, first '%s'\n", m->n_other_files, m->other_file);
    if (k->n_refused)
        qz_str_printf(out, "  keys         %u not read that change the model (%s): %s\n", k->n_refused, QZ_CODE_KEYS,
                      k->refused);
    if (k->n_noted) qz_str_printf(out, "  keys         %u not read: %s\n", k->n_noted, k->noted);
    if (k->n_absent)
        qz_str_printf(out, "  defaults     %u key%s absent in config.json: %s\n", k->n_absent,
                      k->n_absent == 1 ? "" : "s", k->absent);
    if (m->n_no_module)
        qz_str_printf(out, "  left float   %zu entr%s no module of the files, first %s\n", m->n_no_module,
                      m->n_no_module == 1 ? "y names" : "ies name", m->no_module);
    for (size_t i = 0; i < m->n_doubts; i++) qz_str_printf(out, "  doubt        %s\n", m->doubts[i]);
}

/* A JSON object as lines that fit: it may be broken behind the commas between its keys. */
static void put_object(qz_str *out, const char *key, const char *object) {
    qz_str spaced = {0};
    for (const char *p = object; *p; p++) {
        qz_str_putc(&spaced, *p);
        if (*p == ',' && p[1] == '"') qz_str_putc(&spaced, ' ');
    }
    qz_fit_printf(out, 13, "  %-12s %s", key, spaced.ptr ? spaced.ptr : object);
    out->failed |= spaced.failed;
    qz_str_release(&spaced);
}

/* The manifest's provenance fields, or UNKNOWN. */
static void manifest_lines(const char *path, qz_str *out) {
    json_t *root = manifest_of(path);
    if (root) {
        const char *key, *weights = json_string_value(json_object_get(root, "summary"));
        if (weights) qz_str_printf(out, "  weights      %s\n", weights);
        json_t *v, *prov = json_object_get(root, "provenance");
        json_object_foreach(prov, key, v) {
            char *object = json_is_object(v) ? json_dumps(v, JSON_COMPACT) : NULL;
            const char *text = object ? object : json_string_value(v);
            if (object) put_object(out, key, object);
            else if (text) qz_str_printf(out, "  %-12s %s\n", key, text);
            free(object); /* jansson's */
        }
    } else {
        qz_arena a = {0};
        const char *accepted = qz_accepted_in(path, &a); /* a GGUF file says so itself */
        const char *recipe = qz_provenance_in(path, QZ_RECIPE_KEY, &a);
        const char *const named[] = {QZ_SOURCE_KEY, QZ_ORIGIN_KEY, "calibration_sha256"};
        const bool own = qz_provenance_in(path, QZ_SOURCE_KEY, &a) != NULL;
        qz_str_printf(out, "  provenance   %s (no manifest)\n", own ? "in the file's own keys" : "UNKNOWN");
        for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
            const char *v = qz_provenance_in(path, named[i], &a);
            if (v) qz_str_printf(out, "  %-12s %s\n", named[i], v);
        }
        if (recipe) put_object(out, QZ_RECIPE_KEY, recipe);
        if (accepted) qz_str_printf(out, "  %-12s %s\n", QZ_ACCEPTED_KEY, accepted);
        qz_arena_release(&a);
    }
    json_decref(root);
}

/* Everything of the shape that the text view has. */
static void json_shape(const qz_source *s, qz_json_writer *w) {
    const qz_model *m = s->model;
    const qz_config *c = &m->config;
    const struct { const char *key; uint64_t value; } rows[] = {
        {"hidden_size", c->hidden_size}, {"intermediate_size", c->intermediate_size}, {"layers", c->layers},
        {"heads", c->heads}, {"kv_heads", c->kv_heads}, {"head_dim", c->head_dim}, {"vocab_size", c->vocab_size}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) qz_jw_count(w, rows[i].key, rows[i].value);
    qz_jw_bool(w, "tied", c->tie_embeddings);
    if (c->wide.head_dim) {
        qz_jw_count(w, "full_layers", full_layers(c));
        qz_jw_count(w, "full_kv_heads", c->wide.kv_heads);
        qz_jw_count(w, "full_head_dim", c->wide.head_dim);
        qz_jw_bool(w, "keys_as_values", c->wide.keys_as_values);
        qz_jw_count(w, "borrowing_layers", c->wide.borrowers);
        if (c->wide.borrowers) qz_jw_count(w, "borrowing_intermediate_size", c->wide.ffn);
        qz_jw_count(w, "token_input_size", c->token.width);
    }
    if (c->experts) {
        qz_jw_count(w, "experts", c->experts);
        qz_jw_count(w, "experts_used", c->experts_used);
        qz_jw_count(w, "expert_width", c->expert_width);
        if (c->shared_width) qz_jw_count(w, "shared_width", c->shared_width);
        if (dense_layers(c)) qz_jw_count(w, "dense_layers", dense_layers(c));
    }
    qz_jw_count(w, "context", c->max_position);
    qz_jw_real(w, "rope_theta", c->rope.theta);
    qz_jw_count(w, "sliding_window", c->sliding_window);
    uint64_t kv = 0;
    if (kv_bytes(m, &kv)) qz_jw_count(w, "kv_bytes_per_token", kv);
    if (s->tokenizer) {
        const uint64_t n = qz_tokenizer_vocab_size(s->tokenizer);
        qz_jw_count(w, "tokenizer_tokens", n);
        if (n < c->vocab_size) qz_jw_count(w, "embedding_padding", c->vocab_size - n);
    } else qz_jw_null(w, "tokenizer_tokens");
    qz_jw_bool(w, "chat_template", s->tokenizer && qz_tokenizer_chat_template(s->tokenizer));
}

/* What the manifest says; where there is none, what the file says of itself, and that the rest is unknown. */
static void json_provenance(const qz_model *m, qz_json_writer *w) {
    qz_arena a = {0};
    json_t *root = manifest_of(m->path);
    const char *recipe = qz_provenance_in(m->path, QZ_RECIPE_KEY, &a),
               *kept = json_string_value(json_object_get(root, "summary"));
    char *provenance = root ? json_dumps(json_object_get(root, "provenance"), JSON_COMPACT) : NULL;
    qz_jw_raw(w, "recipe", recipe && *recipe == '{' ? recipe : "null");
    qz_jw_key(w, "calibration_accepted");
    qz_accepted_json(qz_accepted_in(m->path, &a), w->out);
    qz_jw_text(w, "kept", kept);
    qz_jw_raw(w, "provenance", provenance ? provenance : "null");
    free(provenance); /* jansson's */
    json_decref(root);
    qz_arena_release(&a);
}

void qz_inspect_json(const qz_source *s, qz_str *out) {
    const qz_model *m = s->model;
    const qz_config_keys *k = &m->config.keys;
    qz_str types = {0};
    qz_json_writer w;
    type_counts(m, &types);
    qz_jw_begin(&w, out);
    qz_jw_text(&w, "name", s->name);
    qz_jw_text(&w, "container", m->container);
    qz_jw_text(&w, "encoding", m->encoding);
    qz_jw_text(&w, "precision_contract", m->contract);
    qz_jw_text(&w, "family", qz_family_get(m->config.family)->name);
    qz_jw_text(&w, "types", types.ptr ? types.ptr : "");
    qz_jw_count(&w, "weights", qz_config_parameters(&m->config));
    qz_jw_real(&w, "bits_per_weight", qz_model_bits_per_weight(m));
    qz_jw_count(&w, "bytes", m->file_bytes);
    qz_jw_count(&w, "tensors", m->n_tensors);
    json_shape(s, &w);
    mixer_json(&m->config, &w);
    qz_leftovers_json(m, &w);
    if (k->n_absent) qz_jw_count(&w, "keys_absent", k->n_absent);
    if (k->n_absent) qz_jw_text(&w, "absent", k->absent);
    if (m->n_other_files) qz_jw_count(&w, "other_files", m->n_other_files);
    if (m->n_no_module) qz_jw_count(&w, "entries_of_no_module", m->n_no_module);
    if (m->n_no_module) qz_jw_text(&w, "entry_of_no_module", m->no_module);
    qz_jw_open(&w, "doubts", '[');
    for (size_t i = 0; i < m->n_doubts; i++) qz_jw_text(&w, NULL, m->doubts[i]);
    qz_jw_close(&w, ']');
    json_provenance(m, &w);
    qz_jw_end(&w);
    qz_str_release(&types);
}

void qz_inspect_text(const qz_source *s, const char *path, qz_str *out) {
    shape_lines(s, out);
    leftover_lines(s->model, out);
    manifest_lines(path, out);
}
