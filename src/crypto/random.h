/* Random bytes for nonces, ids and keys. A generator that fails is ASSERTed: nothing is safe then.
 */
#pragma once

#include <stddef.h>

void random_bytes(void *bytes, size_t size);	    /* public: nonces, ids */
void random_secret_bytes(void *bytes, size_t size); /* private: keys */
