package page

// htmxActions lists the attributes with which htmx posts a form elsewhere than its action.
var htmxActions = [...]string{"hx-post", "data-hx-post", "hx-action", "data-hx-action"}

// htmxAction returns the address that htmx posts to when the element is used, as written, and
// whether there is one. "" means the page's own URL.
func (t *tag) htmxAction() (action string, has bool) {
	for _, name := range htmxActions {
		if action, has := t.get(name); has {
			return action, true
		}
	}
	return "", false
}
