// Package form turns the body of an HTML form's POST into the values that the visitor sent, in the order sent.
//
// It reads the two encodings that browsers send, application/x-www-form-urlencoded and multipart/form-data, and the
// flat JSON object that scripts send instead. Every body is held to [Limits] while it is read, files are skipped, and
// whatever comes out is valid UTF-8 without NUL. Errors never quote what the visitor sent, so they can be logged.
package form

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// Errors that [Read] wraps, one for each answer that a server gives.
var (
	// ErrUnsupported says that the body is in an encoding that [Read] does not know: the content type is none of the
	// three, or the charset is one that browsers do not send forms in. The fitting answer is 415.
	ErrUnsupported = errors.New("unsupported form encoding")
	// ErrTooLarge says that the body passed one of the [Limits]. The fitting answer is 413.
	ErrTooLarge = errors.New("form too large")
	// ErrMalformed says that the body breaks the rules of its content type, was cut short, or holds NUL. The fitting
	// answer is 400.
	ErrMalformed = errors.New("malformed form")
)

// Limits bound what [Read] accepts. A body that is exactly at a limit is accepted. A limit that is zero or less stands
// for the one of [DefaultLimits].
type Limits struct {
	Body   int64 // bytes of the whole body, as it is sent
	Fields int   // number of values: a name that occurs twice counts twice, and each file counts as one
	Name   int   // bytes of one name, decoded
	Value  int   // bytes of one value, decoded
}

// DefaultLimits returns the limits of an ordinary contact form: a body of 64 KiB, 100 fields, names of 100 bytes and
// values of 10 KiB.
func DefaultLimits() Limits {
	return Limits{Body: 64 << 10, Fields: 100, Name: 100, Value: 10 << 10}
}

func (l Limits) withDefaults() Limits {
	defaults := DefaultLimits()
	if l.Body <= 0 {
		l.Body = defaults.Body
	}
	if l.Fields <= 0 {
		l.Fields = defaults.Fields
	}
	if l.Name <= 0 {
		l.Name = defaults.Name
	}
	if l.Value <= 0 {
		l.Value = defaults.Value
	}
	return l
}

// Entry is one name and one value of a form.
type Entry struct {
	Name, Value string
}

// Form is what a visitor sent, in the order sent.
type Form struct {
	Entries []Entry  // a name that was sent several times has several entries; no name is empty
	Files   []string // names of the inputs whose files were skipped, each once; not those where no file was chosen

	// TooLong and Cut are of a form that passed a limit.
	TooLong []string // names of the inputs with a value that is too long, once for each such value
	Cut     bool     // there was more than what is here

	// Charset names the encoding that some of the form came in; empty if all of it came in UTF-8.
	Charset string
}

// Values returns the values of name in the order sent. It is nil when name was not sent, and holds at least one string,
// which may be empty, when it was.
func (f *Form) Values(name string) []string {
	var values []string
	for _, entry := range f.Entries {
		if entry.Name == name {
			values = append(values, entry.Value)
		}
	}
	return values
}

// First returns the first value of name, or the empty string when name was not sent.
func (f *Form) First(name string) string {
	for _, entry := range f.Entries {
		if entry.Name == name {
			return entry.Value
		}
	}
	return ""
}

// Has reports whether name was sent, be it with an empty value.
func (f *Form) Has(name string) bool {
	for _, entry := range f.Entries {
		if entry.Name == name {
			return true
		}
	}
	return false
}

// Read reads body as contentType, the request's Content-Type header, says. It takes at most limits.Body bytes from body
// and one more to notice a longer one. A part of a multipart body has at most 16 headers and 8 KiB of them, whatever the
// limits. A Content-Encoding is for the caller to undo.
//
// A form is in UTF-8 unless its Content-Type, its input _charset_ or one of its parts declares another encoding. What is
// not UTF-8 and does not say what it is, is in the encoding that pageCharset returns, or else in windows-1252.
// pageCharset gets the form as it would be in windows-1252, and may be nil. JSON is in what its Content-Type declares, or
// else in UTF-8.
//
// The error wraps [ErrUnsupported], [ErrTooLarge] or [ErrMalformed]. When body itself fails, the error wraps that
// failure instead, with two exceptions: an [*http.MaxBytesError] comes with ErrTooLarge, and a multipart body that
// fails with [io.ErrUnexpectedEOF] is cut short and thus ErrMalformed.
//
// With ErrTooLarge, and with no other error, comes a form: what could be read, so that a visitor need not type it
// again. It is not what they sent, and so no form to act upon. Values that are too long are in it too, as a whole, up to
// [MaxKept] bytes of them; one that goes beyond ends the form, as do a value too many, a name that is too long, and the
// end of the body's limit, which takes with it the value that it falls in and all values of a JSON object.
func Read(body io.Reader, contentType string, limits Limits, pageCharset func(*Form) string) (*Form, error) {
	mediaType, params, err := parseMediaType(contentType)
	if err != nil {
		return nil, fmt.Errorf("%w: the content type is missing or unreadable", ErrUnsupported)
	}
	declared, err := declaredCharset(params)
	if err != nil {
		return nil, err
	}
	if body == nil {
		body = http.NoBody
	}
	limits = limits.withDefaults()
	src := &source{r: http.MaxBytesReader(nil, io.NopCloser(body), limits.Body)}
	c := &collector{limits: limits, declared: declared}
	switch mediaType {
	case "application/x-www-form-urlencoded":
		err = c.readURLEncoded(src)
	case "multipart/form-data":
		err = c.readMultipart(src, params["boundary"])
	case "application/json":
		err = c.readJSON(src)
	default:
		err = fmt.Errorf("%w: the content type is none of application/x-www-form-urlencoded, multipart/form-data and application/json", ErrUnsupported)
	}
	if err != nil && !errors.Is(err, ErrTooLarge) {
		return nil, err
	}
	c.form.Cut = err != nil
	decodeErr := c.decode(pageCharset)
	return &c.form, cmp.Or(err, decodeErr, c.tooLong)
}

// MaxKept is how many bytes of values that are too long come with [ErrTooLarge].
const MaxKept = 256 << 10

// maxMediaType bounds a Content-Type header; the ones in use have fewer than 150 bytes.
const maxMediaType = 1024

// parseMediaType is [mime.ParseMediaType], but where that gives up all parameters for an odd one, it gives up only the
// odd one and what follows, because the boundary of a multipart body may come before it.
func parseMediaType(header string) (mediaType string, params map[string]string, err error) {
	if len(header) > maxMediaType {
		return "", nil, mime.ErrInvalidMediaParameter
	}
	for {
		mediaType, params, err = mime.ParseMediaType(header)
		end := strings.LastIndexByte(header, ';')
		if !errors.Is(err, mime.ErrInvalidMediaParameter) || end < 0 {
			return mediaType, params, err
		}
		header = header[:end]
	}
}

// source is the bounded body. It remembers why it failed, because a parser that gets half a line before the failure may
// complain about the line instead.
type source struct {
	r   io.Reader
	err error // the first failure, never io.EOF
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF && s.err == nil {
		s.err = err
	}
	return n, err
}

// readAll returns the body, or as much of it as there is before it fails.
func (s *source) readAll() ([]byte, error) {
	body, err := io.ReadAll(s)
	if err != nil {
		return body, readError(err)
	}
	return body, nil
}

func readError(err error) error {
	if tooLong, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fmt.Errorf("%w: the body has more than %d bytes: %w", ErrTooLarge, tooLong.Limit, err)
	}
	return fmt.Errorf("reading the body of the form: %w", err)
}

// collector gathers a form's entries within limits.
type collector struct {
	limits   Limits
	declared charset // of the whole body
	fields   int
	form     Form      // as it came, until it is decoded
	charsets []charset // those that single values declare
	raw      []string  // the values as they came
	tooLong  error     // that a value is too long, which does not keep others from being read
	kept     int       // bytes of values that are too long
}

// add keeps a value of a name. Browsers send no input without a name and no field could be mapped to one, so a value
// without a name is skipped.
func (c *collector) add(name, value string) error {
	if name == "" {
		return nil
	}
	if err := c.countField(); err != nil {
		return err
	}
	return c.keep(name, value, charset{})
}

func (c *collector) countField() error {
	if c.fields == c.limits.Fields {
		return fmt.Errorf("%w: more than %d values", ErrTooLarge, c.limits.Fields)
	}
	c.fields++
	return nil
}

// keep keeps a value, which may declare an encoding of its own.
func (c *collector) keep(name, value string, own charset) error {
	if err := c.checkName(name); err != nil {
		return err
	}
	if len(value) > c.limits.Value {
		c.tooLong = c.valueTooLong()
		c.form.TooLong = append(c.form.TooLong, name)
		if c.kept += len(value); c.kept > MaxKept {
			return c.tooLong
		}
	}
	if err := checkText(value); err != nil {
		if len(value) > c.limits.Value {
			return nil
		}
		return err
	}
	c.form.Entries = append(c.form.Entries, Entry{Name: name, Value: value})
	c.charsets = append(c.charsets, own)
	c.raw = append(c.raw, value)
	return nil
}

func (c *collector) valueTooLong() error {
	return fmt.Errorf("%w: a value has more than %d bytes", ErrTooLarge, c.limits.Value)
}

func (c *collector) nameTooLong() error {
	return fmt.Errorf("%w: a name has more than %d bytes", ErrTooLarge, c.limits.Name)
}

func (c *collector) checkName(name string) error {
	if len(name) > c.limits.Name {
		return c.nameTooLong()
	}
	return checkText(name)
}

func checkText(text string) error {
	if strings.IndexByte(text, 0) >= 0 {
		return fmt.Errorf("%w: a name or value holds a NUL character", ErrMalformed)
	}
	return nil
}
