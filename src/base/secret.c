#include "base/secret.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_SIZE 4096u

static_assert(SECRET_SIZE_MAX <= PAGE_SIZE, "a secret is one page");

int secret_init(struct secret *secret, size_t size, struct error *err)
{
	void *page;

	ASSERT(size > 0 && size <= SECRET_SIZE_MAX);
	page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return error_set_errno(err, ERROR_FAILED, errno, "no memory for a key");
	if (mlock(page, PAGE_SIZE) < 0 || madvise(page, PAGE_SIZE, MADV_DONTDUMP) < 0) {
		int saved_errno = errno;

		munmap(page, PAGE_SIZE);
		return error_set_errno(err, ERROR_FAILED, saved_errno,
				       "cannot keep a key out of swap and core dumps; raise "
				       "RLIMIT_MEMLOCK");
	}
	secret->bytes = page;
	secret->size = size;
	return 0;
}

void secret_release(struct secret *secret)
{
	if (!secret->bytes)
		return;
	explicit_bzero(secret->bytes, PAGE_SIZE);
	munmap(secret->bytes, PAGE_SIZE);
	secret->bytes = NULL;
	secret->size = 0;
}

void secret_wipe(void *bytes, size_t size)
{
	explicit_bzero(bytes, size);
}
