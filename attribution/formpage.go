package attribution

import "net/url"

// FormPageVar is the name under which a request keeps its [FormPage].
const FormPageVar = "telecrm.form_page"

// FormPage is the page with the form that a request posts, if that is not the one in its Referer: a
// visitor who corrects something posts from an error page.
type FormPage struct{ URL *url.URL }

// String returns nothing, so that no placeholder shows what the visitor sent.
func (FormPage) String() string { return "" }
