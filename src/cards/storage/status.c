/* SPDX-License-Identifier: Apache-2.0 */

#include "cards/storage/status.h"

#include <errno.h>

uint16_t nvme_status_of(int r, int write)
{
	switch (-r) {
	case 0:
		return NVME_SC_SUCCESS;
	case EPROTO: /* the guest named memory it does not have */
		return NVME_SC_DATA_TRANSFER | NVME_SC_DNR;
	case EINVAL: /* only the PRP walk says so: the volume is never asked for nonsense */
		return NVME_SC_PRP_OFFSET | NVME_SC_DNR;
	case ERANGE:
		return NVME_SC_LBA_RANGE | NVME_SC_DNR;
	case EROFS:
		return NVME_SC_NS_WRITE_PROTECTED | NVME_SC_DNR;
	case ENOSPC: /* Linux makes ENOSPC of it, at once */
		return NVME_SC_CAPACITY | NVME_SC_DNR;
	case ECANCELED:
		return NVME_SC_ABORT_REQUESTED;
	case EIO:
	case EBADMSG:
		return write ? NVME_SC_WRITE_FAULT : NVME_SC_READ_ERROR;
	default:
		return NVME_SC_INTERNAL;
	}
}
