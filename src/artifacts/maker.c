#include "artifacts/maker.h"
#include "artifacts/open.h"
#include "artifacts/provenance.h"
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "formats/gguf.h"
#include <stdio.h>
#include <string.h>

enum { README_LIMIT = 4 << 20, CONFIG_LIMIT = 16 << 20 };

/* One line of a hostile text into a field that is still empty. */
static void put(char *out, size_t room, const char *text, size_t n) {
    if (out[0] || n == 0) return;
    n = qz_min_size(n, room - 1);
    for (size_t i = 0; i < n; i++) out[i] = (unsigned char)text[i] < ' ' || text[i] == 127 ? '?' : text[i];
    out[n] = 0;
}
static void put_by(qz_maker *m, const char *where, const char *text, size_t n) {
    if (m->by[0] || n == 0) return;
    put(m->by, sizeof m->by, text, n);
    put(m->where, sizeof m->where, where, strlen(where));
}

static void from_manifest(const char *path, qz_maker *m) {
    qz_arena a = {0};
    const char *version = qz_provenance_in(path, "version", &a), *recipe = qz_provenance_in(path, QZ_RECIPE_KEY, &a),
               *data = qz_provenance_in(path, "calibration_sha256", &a);
    char text[120];
    if (recipe) {
        /* a name is who, the recipe is with what */
        if (m->by[0]) (void)snprintf(text, sizeof text, "%.50s (quantz %.40s)", m->by, version ? version : "");
        else (void)snprintf(text, sizeof text, "quantz %.60s", version ? version : "");
        if (!m->by[0]) put(m->where, sizeof m->where, "manifest", sizeof "manifest" - 1);
        m->by[0] = 0;
        put(m->by, sizeof m->by, text, strlen(text));
    }
    if (data && strlen(data) == 64) {
        (void)snprintf(text, sizeof text, "calibration_sha256 %.16s…", data);
        put(m->data, sizeof m->data, text, strlen(text));
    }
    qz_arena_release(&a);
}

/* ---- metadata of a GGUF file ---- */
static qz_gguf_text key_text(const qz_gguf *g, const char *key) {
    qz_gguf_text t = {0};
    return qz_gguf_str(g, key, false, &t, &(qz_error){0}) == QZ_OK ? t : (qz_gguf_text){0};
}
static void matrix_of(const qz_gguf *g, qz_maker *m) {
    const qz_gguf_text file = key_text(g, "quantize.imatrix.file"), data = key_text(g, "quantize.imatrix.dataset");
    uint64_t entries = 0, chunks = 0;
    char text[240];
    (void)qz_gguf_u64(g, "quantize.imatrix.entries_count", false, &entries, &(qz_error){0});
    (void)qz_gguf_u64(g, "quantize.imatrix.chunks_count", false, &chunks, &(qz_error){0});
    if (file.n == 0 && data.n == 0 && entries == 0) return;
    (void)snprintf(text, sizeof text, "imatrix %.*s of %.*s, %llu entries, %llu chunks",
                   file.n ? (int)qz_min_size(file.n, 80) : 7, file.n ? file.ptr : "unnamed",
                   data.n ? (int)qz_min_size(data.n, 80) : 12, data.n ? data.ptr : "unnamed text",
                   (unsigned long long)entries, (unsigned long long)chunks);
    put(m->data, sizeof m->data, text, strlen(text));
}
static void from_gguf(const char *path, qz_maker *m) {
    static const char *const bases[] = {"general.base_model.0.repo_url", "general.base_model.0.name",
                                        "general.source.huggingface.repository", "general.source.repo_url",
                                        "general.source.url"};
    qz_gguf g = {0};
    if (qz_gguf_open(&g, path, &(qz_error){0}) != QZ_OK) return;
    const qz_gguf_text by = key_text(&g, "general.quantized_by");
    put_by(m, "general.quantized_by", by.ptr, by.n);
    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        const qz_gguf_text t = key_text(&g, bases[i]);
        put(m->base, sizeof m->base, t.ptr, t.n);
    }
    matrix_of(&g, m);
    qz_gguf_release(&g);
}

/* ---- a folder's configuration ---- */
static void from_config(const char *dir, qz_maker *m) {
    char *path = qz_path_join(dir, "config.json");
    json_t *root = NULL;
    if (path && qz_json_load(path, CONFIG_LIMIT, &root, &(qz_error){0}) == QZ_OK) {
        const json_t *meta = json_object_get(json_object_get(root, "quantization_config"), "meta"),
                     *who = json_object_get(meta, "quantizer");
        if (json_is_array(who)) who = json_array_get(who, 0);
        const char *name = json_string_value(who);
        if (name) put_by(m, "quantization_config.meta", name, strlen(name));
    }
    json_decref(root);
    qz_free(path);
}

/* ---- the front matter of a README.md: "key: value" lines between two lines "---"; of a list its first item ---- */
static bool value_of(const char *text, const char *end, const char *key, const char **value, size_t *n) {
    const size_t k = strlen(key);
    for (const char *line = text; line && line < end; line = memchr(line, '\n', (size_t)(end - line))) {
        line += *line == '\n';
        if ((size_t)(end - line) <= k || strncmp(line, key, k) != 0 || line[k] != ':') continue;
        const char *v = line + k + 1;
        v += strspn(v, " \t");
        if (*v == '\n') v += 1 + strspn(v + 1, " -\t");
        *n = v < end ? strcspn(v, "\r\n") : 0;
        while (*n && strchr("\"' ", v[*n - 1])) --*n;
        const size_t quotes = qz_min_size(*n, strspn(v, "\"'"));
        *value = v + quotes;
        *n -= quotes;
        return *n > 0;
    }
    return false;
}
static void from_readme(const char *path, bool folder, qz_maker *m) {
    const char *base = qz_path_base(path), *v = NULL;
    char dir[4096], *file, *text = NULL;
    size_t len = 0, n = 0;
    (void)snprintf(dir, sizeof dir, "%.*s", folder ? (int)strlen(path) : (int)(base - path), path);
    file = qz_path_join(dir[0] ? dir : ".", "README.md");
    if (file && qz_path_exists(file) && qz_read_file(file, README_LIMIT, &text, &len, &(qz_error){0}) == QZ_OK &&
        strncmp(text, "---\n", 4) == 0) {
        const char *end = strstr(text + 3, "\n---");
        if (end && value_of(text + 4, end, "quantized_by", &v, &n)) put_by(m, "README.md", v, n);
        if (end && value_of(text + 4, end, "base_model", &v, &n)) put(m->base, sizeof m->base, v, n);
    }
    qz_free(text);
    qz_free(file);
}

void qz_maker_read(const char *path, qz_maker *out) {
    const bool folder = qz_path_is_dir(path);
    *out = (qz_maker){0};
    if (folder) from_config(path, out);
    else from_gguf(path, out);
    from_readme(path, folder, out);
    from_manifest(path, out);
}
bool qz_maker_known(const qz_maker *m) { return m->by[0] || m->base[0] || m->data[0]; }
