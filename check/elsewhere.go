package check

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// MoveTo reads the site's files from a folder of this machine, although another one runs the config.
// What depends on that machine is not checked: placeholders and the folder for leads. It returns an
// error if the config has sites in several folders, or the folder cannot be read.
func (c *Config) MoveTo(root string) error {
	if _, err := os.ReadDir(root); err != nil {
		return fmt.Errorf("root: reading the folder: %w", err)
	}
	var roots []string
	for _, site := range c.Sites {
		if !slices.Contains(roots, site.Root) {
			roots = append(roots, site.Root)
		}
	}
	if len(roots) > 1 {
		return fmt.Errorf("root: must be that of all sites with forms, which are in %s; check a config with one of them", strings.Join(roots, ", "))
	}
	for _, site := range c.Sites {
		site.Root, site.Files = root, os.DirFS(root)
	}
	c.Empty, c.Folder = nil, ""
	return nil
}
