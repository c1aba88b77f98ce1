package grammar

import (
	"fmt"
	"regexp"
	"strings"
)

// Secret returns a word that takes one secret, which should be a placeholder.
func Secret(name string, into *string) Word { return Text(name, into, checkSecret) }

var variableName = regexp.MustCompile(`^(?:env\.|\$)?([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)$`)

// checkSecret refuses the path of a file and the name of a variable that are not placeholders. They
// would be taken for the secret itself.
func checkSecret(text string) error {
	if found := variableName.FindStringSubmatch(text); found != nil {
		return fmt.Errorf("%q is the name of a variable; write {env.%s}", text, found[1])
	}
	path := strings.TrimPrefix(text, "file.")
	switch {
	case strings.HasPrefix(path, "/"):
		return fmt.Errorf("%q is the path of a file; write {file.%s}", text, path)
	case strings.HasPrefix(path, "./"), strings.HasPrefix(path, "../"), strings.HasPrefix(path, "~/"):
		return fmt.Errorf("%q is the path of a file; write {file./path}, with the absolute path", text)
	}
	return nil
}
