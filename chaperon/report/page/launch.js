
// ---- starting runs from the page
function showForm() {}
