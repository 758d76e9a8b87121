#include "artifacts/open.h"
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "produce/outputs.h"
#include <string.h>

enum { MANIFEST_LIMIT = 64 << 20 };

static bool lists(const json_t *files, const char *name) {
    for (size_t i = 0; i < json_array_size(files); i++) {
        const char *x = json_string_value(json_object_get(json_array_get(files, i), "name"));
        if (x && strcmp(x, name) == 0) return true;
    }
    return false;
}

qz_status qz_outputs_listed(const char *path, qz_error *err) {
    char *manifest = qz_manifest_path(path), **names = NULL;
    json_t *root = NULL;
    size_t n = 0;
    if (manifest == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    const bool there = qz_path_exists(manifest);
    if (there) (void)qz_json_load(manifest, MANIFEST_LIMIT, &root, &(qz_error){0});
    qz_status st = qz_list_dir(path, &names, &n, err);
    for (size_t i = 0; i < n && st == QZ_OK; i++)
        if (strcmp(names[i], qz_path_base(manifest)) != 0 && !lists(json_object_get(root, "files"), names[i]))
            st = root ? qz_fail(err, QZ_EUSAGE,
                                "output folder '%s' holds '%s', which its manifest does not list: --force would delete "
                                "it; move it away or "
                                "choose another output",
                                path, names[i])
                      : qz_fail(err, QZ_EUSAGE,
                                "output folder '%s' %s '%s', which would say that '%s' in it is ours: --force would "
                                "delete it; move the folder away or "
                                "choose another output",
                                path, there ? "has an unreadable" : "has no", qz_path_base(manifest), names[i]);
    qz_free_names(names, n);
    json_decref(root);
    qz_free(manifest);
    return st;
}
