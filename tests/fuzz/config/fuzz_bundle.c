/* What is accepted as a bundle, or as its mark, is written again as the same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_bundle(const char *text, size_t size)
{
	struct bundle bundle;
	struct config *config = NULL;
	struct error err = {0};
	char *again;
	size_t again_size;

	if (bundle_decode(text, size, &bundle, &err) < 0) {
		ASSERT(err.code == ERROR_DEFECT && err.message[0]);
		return;
	}
	ASSERT(bundle_encode(&bundle, &again, &again_size, &err) == 0);
	ASSERT(again_size == size && memcmp(again, text, size) == 0);
	if (bundle_config(&bundle, &config, &err) < 0)
		ASSERT(err.code == ERROR_USAGE && err.message[0]);
	config_free(config);
	free(again);
	bundle_release(&bundle);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bundle_mark mark;
	struct error err = {0};
	char again[BUNDLE_MARK_SIZE_MAX];

	take_bundle((const char *)data, size);
	if (bundle_mark_decode((const char *)data, size, &mark, &err) < 0)
		ASSERT(err.code == ERROR_DEFECT && err.message[0]);
	else
		ASSERT(bundle_mark_encode(&mark, again) == size && memcmp(again, data, size) == 0);
	return 0;
}
