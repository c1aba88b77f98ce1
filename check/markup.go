package check

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/leadwire/caddy-telecrm/page"
)

// suggestedName returns a name for a control that lacks one, or "".
func suggestedName(control page.InventoryControl) string {
	id, _ := control.Attribute("id")
	switch words := strings.FieldsFunc(strings.ToLower(control.Words()), isNoLetter); {
	case id != "":
		return id
	case control.Type == "email":
		return "email"
	case control.Type == "tel":
		return "phone"
	case control.Element == "textarea":
		return "message"
	default:
		return strings.Join(words[:min(len(words), 3)], "_")
	}
}

func isNoLetter(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }

// labelFor returns the control in a label.
func labelFor(control page.InventoryControl) string {
	words := control.Words()
	if words == "" {
		words = wordsOf(control.Name)
	}
	name := escape(control.Name)
	switch control.Element {
	case "textarea":
		return fmt.Sprintf(`<label>%s <textarea name="%s"></textarea></label>`, escape(words), name)
	case "select":
		return fmt.Sprintf(`<label>%s <select name="%s">…</select></label>`, escape(words), name)
	}
	return fmt.Sprintf(`<label>%s <input name="%s"></label>`, escape(words), name)
}
