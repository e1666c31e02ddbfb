"""What is measured on a nucleus: form, axis, stain, texture and outline."""
