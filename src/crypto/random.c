#include "crypto/random.h"

#include <limits.h>

#include <openssl/rand.h>

#include "base/error.h"

void random_bytes(void *bytes, size_t size)
{
	int r;

	ASSERT(size <= INT_MAX);
	r = RAND_bytes(bytes, (int)size);
	ASSERT(r == 1);
}

void random_secret_bytes(void *bytes, size_t size)
{
	int r;

	ASSERT(size <= INT_MAX);
	r = RAND_priv_bytes(bytes, (int)size);
	ASSERT(r == 1);
}
