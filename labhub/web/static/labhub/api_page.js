// Draws the description of the API with Swagger UI.
document.addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("api");
  SwaggerUIBundle({ url: place.dataset.url, domNode: place, deepLinking: false, validatorUrl: null });
});
