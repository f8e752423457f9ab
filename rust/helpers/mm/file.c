// SPDX-License-Identifier: GPL-2.0
/* Files. */

#include "helpers.h"

bool rust_helper_IS_DAX(const struct inode *inode)
{
	return IS_DAX(inode);
}

bool rust_helper_file_owner_or_capable(const struct file *file)
{
	return file_owner_or_capable(file);
}

int rust_helper_file_permission(struct file *file, int mask)
{
	return file_permission(file, mask);
}

gfp_t rust_helper_mapping_gfp_mask(const struct address_space *mapping)
{
	return mapping_gfp_mask(mapping);
}

#ifndef CONFIG_SHMEM
bool rust_helper_shmem_mapping(const struct address_space *mapping)
{
	return shmem_mapping(mapping);
}
#endif
