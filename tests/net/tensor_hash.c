/* usage: tensor_hash FILE…   One SHA-256 over the tensors of a GGUF or safetensors file (name, type, shape, data), in
 * the order of the file. Metadata keys, padding and shard borders do not enter: they may change where a
 * weight must not. */
#include <stdio.h>
#include <string.h>
#include "base/hash.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"

static void add(qz_sha256 *h, const char *name, const char *type, const uint64_t *dims, uint32_t n, const void *data,
                uint64_t bytes) {
    char line[2048];
    int used = snprintf(line, sizeof line, "%s %s", name, type);
    for (uint32_t i = 0; i < n; i++)
        used += snprintf(line + used, sizeof line - (size_t)used, " %llu", (unsigned long long)dims[i]);
    qz_sha256_update(h, line, (size_t)used + 1);
    qz_sha256_update(h, data, bytes);
}

static qz_status one(const char *path, qz_sha256 *h, qz_error *err) {
    size_t n = strlen(path);
    if (n > 5 && strcmp(path + n - 5, ".gguf") == 0) {
        qz_gguf g;
        QZ_TRY(qz_gguf_open(&g, path, err));
        for (size_t i = 0; i < g.n; i++)
            add(h, g.tensors[i].name, g.tensors[i].type->name, g.tensors[i].dims, g.tensors[i].n_dims,
                g.tensors[i].data, g.tensors[i].bytes);
        qz_gguf_release(&g);
        return QZ_OK;
    }
    qz_st s;
    QZ_TRY(qz_st_open(&s, path, err));
    for (size_t i = 0; i < s.n; i++)
        add(h, s.tensors[i].name, qz_st_dtype_name(s.tensors[i].dtype), s.tensors[i].dims, s.tensors[i].n_dims,
            s.tensors[i].data, s.tensors[i].bytes);
    qz_st_release(&s);
    return QZ_OK;
}

int main(int argc, char **argv) {
    qz_sha256 h = {0};
    qz_error err = {0};
    for (int i = 1; i < argc; i++)
        if (one(argv[i], &h, &err) != QZ_OK) return fprintf(stderr, "tensor_hash: %s\n", err.text), 1;
    char hex[65];
    qz_sha256_final_hex(&h, hex);
    puts(hex);
    return 0;
}
