/*
 * Where in the vault's file system what lies that several parts of provisioning use; the units name
 * the same places.
 */
#pragma once

#define PLACE_VOLUME	    "/var/lib/binvault"
#define PLACE_IDENTITY	    PLACE_VOLUME "/identity"
#define PLACE_CERTIFICATE   PLACE_IDENTITY "/config.pem"
#define PLACE_APPLIED	    PLACE_VOLUME "/config"
#define PLACE_CURRENT	    PLACE_APPLIED "/current/"
#define PLACE_FORWARD_STATE PLACE_VOLUME "/forward"

/* in memory */
#define PLACE_WORKSHOP "/run/binvault-configure"
#define PLACE_KEY      PLACE_WORKSHOP "/config.key" /* the vault's own, while it is needed */
#define PLACE_SECRETS  "/run/binvault-secrets"	    /* the PIN, while the archive is made */

#define PLACE_FILE_MAX 65536 /* of a small file */
