/* Private to methods/: the operations that the rows of methods.def name. */
#ifndef QZ_METHODS_METHOD_ROWS_H
#define QZ_METHODS_METHOD_ROWS_H
#include "methods/method.h"

#define QZ_METHOD(id, name, needs, takes, other, ops, what) extern const qz_method_ops ops;
#include "methods/methods.def"
#undef QZ_METHOD
#endif
