/* Names that cannot be an output, whatever stands there. */
#include "base/size.h"
#include "base/str.h"
#include "produce/outputs.h"
#include <string.h>

/* What loaders look for in the folder of a checkpoint: a file of that name would become part of the model. */
static const char *const read_by_loaders[] = {"config.json", "generation_config.json", "tokenizer.json",
                                              "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "vocab.txt", "merges.txt", "tokenizer.model", "spiece.model", "chat_template.jinja",
    "chat_template.json", "quantize_config.json", "quant_config.json",
    "adapter_config.json", "preprocessor_config.json"};

static bool is_read_by_loaders(const char *name) {
    for (size_t i = 0; i < sizeof read_by_loaders / sizeof read_by_loaders[0]; i++)
        if (strcmp(name, read_by_loaders[i]) == 0) return true;
    return qz_str_ends(name, ".safetensors") || qz_str_ends(name, ".safetensors.index.json") ||
           qz_str_ends(name, ".bin") || qz_str_ends(name, ".bin.index.json");
}

static char *folder_of(const char *path) {
    const size_t k = (size_t)(qz_path_base(path) - path);
    return k ? qz_strndup(path, k) : qz_strdup(".");
}

/* Beside the files of the source: the folder that was named, or that of the file that was named. */
static qz_status against_loaders(const char *path, const char *source, qz_error *err) {
    if (!is_read_by_loaders(qz_path_base(path)) || !qz_path_exists(source)) return QZ_OK;
    char *mine = folder_of(path), *its = qz_path_is_dir(source) ? qz_strdup(source) : folder_of(source);
    qz_status st = QZ_OK;
    if (mine == NULL || its == NULL) st = qz_fail(err, QZ_EMEMORY, "out of memory");
    else if (qz_path_same(mine, its))
        st = qz_fail(err, QZ_EUSAGE,
                     "output '%s' would be part of the source '%s': programs that load it read a file '%s' there; "
                     "choose another name or folder",
                     path, source, qz_path_base(path));
    qz_free(mine);
    qz_free(its);
    return st;
}

qz_status qz_outputs_named(const qz_request *r, const char *path, qz_output_kind kind, qz_error *err) {
    const char *base = qz_path_base(path);
    if (strcmp(path, "-") == 0)
        return qz_fail(err, QZ_EUSAGE,
                       "output '-': files are written, nothing goes to standard output; give a name (./- for a file of "
                       "this name)");
    if (kind == QZ_OUTPUT_FOLDER) return QZ_OK; /* receives files and keeps its own name */
    if (*base == 0 || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
        return qz_fail(err, QZ_EUSAGE,
                       "output '%s' has no name of its own: expected the name of a new file or folder, such as "
                       "'%s%sNAME'",
                       path, path, *base ? "/" : "");
    /* what exists is judged as an input */
    return r->n_operands && !qz_path_exists(path) ? against_loaders(path, r->operands[0], err) : QZ_OK;
}
