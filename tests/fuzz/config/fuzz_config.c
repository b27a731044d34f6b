/* Any bytes as a configuration file: a configuration or one sentence with a line number. */
#include "config/config.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(config_freep)
	struct config *config = NULL;
	struct error err = {0};

	if (config_parse("f", (const char *)data, size, &config, &err) < 0)
		ASSERT(err.code == ERROR_USAGE && strncmp(err.message, "f:", 2) == 0);
	else
		ASSERT(config && config->volume_count == 1);
	return 0;
}
